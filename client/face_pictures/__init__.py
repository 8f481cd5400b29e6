"""Files and objects that are pictures, as RGB pixels: the ground that client, server and training stand on.

`formats` has the list of formats, `decoding` makes pixels of them, `errors` says what can be wrong with one.
"""
