"""hangtag under kills: a run that is disturbed at random moments ends as an undisturbed one does.

    python -m tests.chaos [--seeds 10] [--images 20000] [--database sqlite|postgresql]

`shop` draws photos and hostile files, `servers` can be killed, `disturbances` are what happens, `watch` measures how
soon the work goes on, `verdict` compares the end with the undisturbed run, `trial` is one run of all that.
"""
