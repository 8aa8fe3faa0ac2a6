"""Three examples for the end of every --help, by the module of the command."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "sim.scaling": (
        ("--arch mlp", "the exponents of a dense network, in about half a minute"),
        ("--arch cnn --head gap --norms 1 2 --figure gap.svg", "global average pooling, drawn"),
        ("--arch resnet --seeds 512 --out runs/resnet", "kept as it is sampled, and continued"),
    ),
    "sim.vulnerability": (
        ("--arch mlp", "attacks in three norms beside first-order damage"),
        ("--arch mlp --flips --html attacks.html", "how far another class is, as a page"),
        ("--arch cnn --attack-norms inf --eps 1e-3 1e-2 --steps 0 --restarts 0", "one step alone"),
    ),
    "sim.audit": (
        ("--arch resnet", "which layers make the gap to the prediction"),
        ("--arch cnn --head gap --widths 16 --full", "every layer, and the hypotheses"),
        ("--arch mlp --widths 64 --figure audit.svg", "the factor of every layer, drawn"),
    ),
    "sim.training": (
        ("--quick", "a short study, to see what there is"),
        ("--out runs/training", "the whole study, which may be stopped and continued"),
        ("--trainings ordinary pgd-linf:0.1 --sizes 8 16 --epochs 4 --compared-size 16", "small"),
    ),
    "sim.pretrained": (
        (
            "--model torchvision:resnet18 --weights resnet18.pth --sizes 64 128 224",
            "a state dictionary of PyTorch, at three sides of the images",
        ),
        ("--model my.module:net --weights net.safetensors --count 64", "at more images"),
        ("--model my.module:net --weights net.eqx --sizes 32 --figure net.svg", "at one side"),
    ),
    "sim.atlas": (
        ("--csv atlas.csv --figure atlas.svg", "all of them, which takes hours and may be stopped"),
        ("--models torchvision:resnet18 timm:vit_tiny_patch16_224", "two of them"),
        ("--models my.module:net --sizes 32 64 --seeds 16", "one of your own, with more networks"),
    ),
    "sim.penalty": (
        ("", "Proposition 3 in three norms"),
        ("--attack-norms inf --seeds 32", "in one norm, with shorter intervals"),
        ("--json -", "the numbers for a program"),
    ),
    "sim.report": (
        ("runs/resnet", "the report of a stored run"),
        ("runs/one runs/two", "of two runs that differ in their seeds alone, as one"),
        ("runs/mlp runs/cnn --compare --figure both.svg", "two runs set side by side"),
    ),
    "sim.training_report": (
        ("runs/training", "what is finished of a study"),
        ("runs/training --full", "all of its tables"),
        ("runs/training --figure growth.svg --json study.json", "drawn, and for a program"),
    ),
    "sim.results": (
        ("", "all tables of the documentation, which takes long"),
        ("--table readme", "one of them"),
        ("--table readme --check README.md", "whether the file says what is measured now"),
    ),
    "sim.calibration": (
        ("", "all tables, which takes minutes"),
        ("coverage --seeds 16 64 --replicates 400", "a rough look at the intervals"),
        ("false-alarms power --json calibration.json", "verdicts, for a program"),
    ),
    "sim.statements": (
        ("", "a simulation of every statement"),
        ("theorem-4 lemma-2", "of two of them"),
        ("--seeds 16000 --json statements.json", "with half the standard errors"),
    ),
    "sim.statements.later": (
        ("", "nine later theorems, some minutes"),
        ("gradient-step --seeds 160", "a rough look at one of them"),
        ("--seeds 400 --markdown", "the tables as a page"),
    ),
    "theory": (
        ("", "the list of statements"),
        ("theorem-5", "one of them, step by step"),
        ("theorem-5 --latex", "the same as a document"),
    ),
    "theory.laws": (
        ("", "the laws of all architectures"),
        ("resnet --head dense", "of one, layer by layer"),
        ("cnn --head gap --init glorot", "with another head and initialization"),
    ),
    "theory.defaults": (
        ("", "what the defaults of libraries imply"),
        ("--width 256 --sides 8 16 32", "for networks of this width and these images"),
        ("--markdown", "as a page"),
    ),
}
"""Arguments, and what they are for."""


def epilog(prog: str) -> str:
    """The lines at the end of the --help of a command, such as "python -m sim.scaling"."""
    found = EXAMPLES.get(prog.removeprefix("python -m "), ())
    if not found:
        return ""
    lines = (f"  {prog} {arguments}".rstrip() + f"\n      {what}" for arguments, what in found)
    return "\n".join(["examples:", *lines])
