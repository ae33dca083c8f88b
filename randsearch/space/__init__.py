"""Search spaces: what a YAML file in `search_spaces/` says can be sampled, and everything that is drawn from it.

`SearchSpace` is the file (grammar); `bind` it to what a study fixes and draw, enumerate, count (`BoundSpace`).
"""

from randsearch.space.counting import Count, Invalid
from randsearch.space.grammar import SearchSpace
from randsearch.space.sampling import BoundSpace, Drawn, Extremes

__all__ = ["BoundSpace", "Count", "Drawn", "Extremes", "Invalid", "SearchSpace"]
