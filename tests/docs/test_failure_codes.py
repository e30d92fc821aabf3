import re

from catalog.failure_codes import FAILURE_CODES, PASSING_FAILURES, PERMANENT_FAILURES
from tests.docs.readme import README, ROOT

# Where a worker says why an image failed: `training.evaluation` has codes of its own, which no catalog sees.
MODULES = [*(ROOT / "worker").glob("*.py"), ROOT / "training" / "decoding.py", ROOT / "training" / "preprocessing.py"]
RAISED = re.compile(r'ImageError\(\s*"(\w+)"|SOURCE_MISSING = "(\w+)"|failure = \("(\w+)"')


def test_every_code_that_a_worker_writes_is_known() -> None:
    text = "\n".join(module.read_text() for module in MODULES)
    codes = {code for match in RAISED.finditer(text) for code in match.groups() if code}
    assert codes == FAILURE_CODES


def test_the_readme_tells_which_failures_may_pass() -> None:
    [told] = re.findall(
        r"What is wrong with the file \((.*?)\) is not tried again.*?rest \((.*?)\) is:", README, re.DOTALL
    )
    permanent, passing = (re.findall(r"`(\w+)`", codes) for codes in told)
    assert sorted(permanent) == sorted(PERMANENT_FAILURES)
    assert sorted(passing) == sorted(PASSING_FAILURES)
