"""A scaling run as one page of HTML that needs no network: `python -m sim.scaling --html FILE`.

The picture is drawn here, as SVG within the page, and each of its marks carries its values as a
title; `page.js` only adds a reader of these marks and a choice of widths.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
