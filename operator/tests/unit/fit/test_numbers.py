"""Every number of the tables is shown with how it was got, and agrees with that."""

from e2e.compat import fit_numbers
from qwen_operator.fit.knowledge import read


def test_what_the_cited_lines_say_is_what_stands_in_the_tables() -> None:
    shown = [*fit_numbers.gpu_numbers(), *fit_numbers.calibrated_numbers()]
    assert [each for each in shown if each.agrees is False] == []
    assert len([each for each in shown if each.agrees]) > 30


def test_no_gpu_and_no_quantisation_is_left_out() -> None:
    gpus = {each.name.split()[1] for each in fit_numbers.gpu_numbers()}
    assert gpus == set(read("gpus")["gpus"])
    schemes = {each.name.split()[1] for each in fit_numbers.quantisation_numbers()}
    assert schemes == set(read("quantization")["schemes"]) == set(fit_numbers._CAPABILITIES)
