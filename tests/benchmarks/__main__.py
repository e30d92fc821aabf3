"""Every benchmark, one after the other: `make bench`. Each may be run by itself with options of its own."""

from tests.benchmarks import classify, enqueue, find, nightly, promote, soak, tag

for benchmark in (tag, classify, enqueue, find, nightly, promote, soak):
    print(f"\n# {benchmark.__name__}\n")
    benchmark.main()
