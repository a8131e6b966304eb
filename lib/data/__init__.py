"""The data sets. `catalogue` is the door: `describe(key, root)`, `load(key, root, size, limits)`.

    enhancement     grey images and their degraded copies (degradation), of imagenet or natural
    faces           the same of recorded faces (sober_drunk)
    pairs           visible and infrared pairs; infrared: their infrared halves, degraded
    splits          how all of them are divided, scenes: what an image shows
    synthetic/      faces and pairs where there are none
    sources         where they come from: download fetches them, check looks at them
    fingerprint     which data a number comes from
    packs           arrays that take seconds to make, kept
    composition     what data sets consist of, alignment: do the halves of pairs lie on each other
    images          opened and cut, tensors: between bytes and what networks see
"""
