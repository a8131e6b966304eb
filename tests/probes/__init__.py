"""Bad input, tried by the hundred and judged by rules.

    python -m tests.probes [--cases N] [--area WORD] [--seed N]

A probe makes something odd in an empty folder, then calls what a user would. `judging` decides by
rules how that ended; where a result is a right end, the probe states which result is right. What is
listed is tried always, the rest is drawn by hypothesis until there are N cases.

    judging     a probe, its case, the rules
    drawing     strategies that several areas share: damage of bytes, of JSON, texts of options
    options     command lines, environment, hostile paths
    pictures    image files of every kind, with what is in them
    sets        image sets with one odd file, and odd layouts
    states      checkpoints, records, stamps, tables
    caches      packs, digests, pretrained weights
    results     verify, report and publishing of damaged results
"""
