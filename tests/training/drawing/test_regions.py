import numpy as np
from numpy.typing import NDArray

from training.drawing.regions import fill_from, find_enclosed

SPIRAL = """
##########
#........#
#.######.#
#.#....#.#
#.#.##.#.#
#.#.#..#.#
#.#.####.#
#.#......#
#.########
#.........
"""


def parse(drawing: str) -> NDArray[np.bool_]:
    """True where the drawing has a '#'."""
    return np.array([[sign == "#" for sign in line] for line in drawing.split()])


def test_a_fill_follows_a_spiral_to_its_end() -> None:
    walls = parse(SPIRAL)
    seeds = np.zeros_like(walls)
    seeds[9, 9] = True

    reached = fill_from(seeds[None], ~walls[None])[0]

    assert (reached == ~walls).all()


def test_a_fill_does_not_pass_diagonal_gaps_nor_the_ends_of_lines() -> None:
    passable = parse("#.. .#. ..#")
    seeds = np.zeros_like(passable)
    seeds[0, 0] = True

    assert fill_from(seeds[None], passable[None])[0].sum() == 1
    assert fill_from(seeds[None], parse("#.# #.# ..#")[None])[0].sum() == 2


def test_each_picture_of_a_batch_is_filled_by_itself() -> None:
    ring, arc = parse("### #.# ###"), parse("### #.. ###")

    enclosed = find_enclosed(np.stack([ring, arc]))

    assert enclosed[0].all()
    assert (enclosed[1] == arc).all()


def test_random_mazes_are_filled_as_pixel_by_pixel() -> None:
    rng = np.random.default_rng(5)
    passable = rng.random((20, 15, 11)) < 0.6
    seeds = rng.random(passable.shape) < 0.02

    grown = seeds & passable
    for _ in range(15 * 11):
        padded = np.pad(grown, ((0, 0), (1, 1), (1, 1)))
        beside = padded[:, :-2, 1:-1] | padded[:, 2:, 1:-1] | padded[:, 1:-1, :-2] | padded[:, 1:-1, 2:]
        grown = (grown | beside) & passable

    assert (fill_from(seeds, passable) == grown).all()
