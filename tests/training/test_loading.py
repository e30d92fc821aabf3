import gc

from training.loading import loading


def test_no_garbage_is_collected_while_code_is_loaded_and_what_is_there_then_is_left_alone() -> None:
    frozen = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
        with loading():  # a module that loads others the same way
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
