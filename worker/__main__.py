"""`python -P -m worker` is `hangtag`; -P keeps a shop's own `catalog/` folder from shadowing ours."""

from worker.cli import main

main()
