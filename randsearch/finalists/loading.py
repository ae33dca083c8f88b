"""Loading a trained network from its study, with nothing trusted but numbers."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load_file

from randsearch.base.errors import UserError
from randsearch.base.layout import WEIGHTS_FILE
from randsearch.finalists.winner import Finalist
from randsearch.models.build import build
from randsearch.models.wave_unet import WaveUNet
from randsearch.study.candidates import signal
from randsearch.study.folders import load_config
from randsearch.study.rules import check_weights


def load_network(finalist: Finalist) -> WaveUNet:
    """The network with its trained weights, in evaluation mode.

    Args:
        finalist: which.

    Raises:
        UserError: the study was made by other rules, or the weights are missing, damaged, behind a link, or another
            network's.
    """
    config, path = load_config(finalist.place.root), finalist.home / WEIGHTS_FILE
    check_weights(config.study, config.rules)
    # All weights are replaced, so the file that a network's initial statistics came from need not be there any more.
    drawn_simply = {"initialisation": "glorot", "init_statistics": "none"}
    network = build(finalist.architecture.model_copy(update=drawn_simply), signal(config), 0)
    network.architecture = finalist.architecture
    try:
        weights = load_file(finalist.place.checked(path))
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or 'no such file'}): weights lie in the study's folder "
            "`measured`, unless --keep left them out."
        ) from None
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}): take it from where the study was run.") from None
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path} holds the weights of another network than {finalist.architecture.hash}.") from None
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise UserError(f"{path} holds weights that are no numbers: train the network again.")
    return network.eval()
