import numpy as np

from training.splitting import Split, join_groups, split_photos

RNG = np.random.default_rng(5)


def parts_of(split: Split) -> list[set[int]]:
    return [set(part.tolist()) for part in (split.training, split.validation)]


def test_each_label_has_its_shares_in_each_part() -> None:
    targets = np.repeat(np.arange(4), [400, 200, 40, 20])

    split = split_photos(targets, np.arange(len(targets)), seed=1)

    training, held_out = parts_of(split)
    assert len(training) + len(held_out) == len(training | held_out) == 660
    for label, count in enumerate([400, 200, 40, 20]):
        shares = [int((targets[part] == label).sum()) / count for part in (split.training, split.validation)]
        assert np.abs(np.array(shares) - (0.8, 0.2)).max() <= 0.5 / count + 1e-9


def test_a_group_is_never_on_two_sides() -> None:
    groups = np.concatenate([RNG.integers(0, 60, 900), np.full(100, 60)])  # sixty of some fifteen, and one of a hundred
    targets = RNG.integers(0, 5, 1000)

    split = split_photos(targets, groups, seed=1)

    sides = [set(groups[part].tolist()) for part in (split.training, split.validation)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 61
    sizes = [len(part) for part in (split.training, split.validation)]
    assert np.abs(np.array(sizes) / 1000 - (0.8, 0.2)).max() < 0.03
    for label in range(5):
        assert (targets[split.validation] == label).sum() >= 0.16 * (targets == label).sum()


def test_a_label_of_one_group_is_learnt() -> None:
    targets = np.array([0] * 60 + [1] * 60 + [2] * 5)
    groups = np.array([*range(120), 200, 200, 200, 200, 200])

    for seed in range(5):
        assert (targets[split_photos(targets, groups, seed=seed).training] == 2).sum() == 5


def test_the_seed_decides_the_split() -> None:
    targets = RNG.integers(0, 3, 200)
    first, again, other = (split_photos(targets, np.arange(200), seed=seed) for seed in (1, 1, 2))

    assert first.validation.tolist() == again.validation.tolist() != other.validation.tolist()


def test_photos_that_share_a_group_or_a_content_belong_together() -> None:
    groups = join_groups([("a", b"1"), ("b", b"2"), (b"2",), (b"3",), ("c", b"4"), ("b", b"4")])

    # The first alone; b's two, one of which is like the third, the other like c's; the fourth alone.
    assert groups[1] == groups[2] == groups[4] == groups[5]
    assert len({int(groups[0]), int(groups[1]), int(groups[3])}) == 3
    assert sorted(set(groups.tolist())) == [0, 1, 2]
