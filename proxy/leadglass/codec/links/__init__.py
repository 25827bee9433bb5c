"""Links that an archive writes, found in its replies as they stream and led to the gateway (`links: rewrite`). Sans-io.

`bases` says where a link leads; `jsonlinks`, `xmllinks`, `partlinks` and `fields` find the links in one form each.
"""
