"""The law after training: what regularizers do to input gradients, and how those grow with d.

`configuration` says what is trained (a study: its trainings at each side), `experiment` runs it,
`enlarged` makes its images, `trainer`, `regularizers` and `optimizer` train and measure, `subspace`
splits gradients into parts that training can and cannot reach, `margin` that of the loss into its
factors, `checkpointed` does so epoch by epoch, `dataset` labels the results, `growth` and
`damage_curve` read laws from them; `report`, `tables`, `as_json`, `picture` and `parts_picture`
show them. The commands are `python -m sim.training` and `python -m sim.training_report`. May import
everything below the experiments, and exponents from
`sim.vulnerability`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
