"""randsearch: proxy architecture search for audio source separation, and how far its cheap scores can be trusted."""

__version__ = "0.1.0"
