"""What devices can do, by their makers' data sheets. No job reads it: a new device must not run one again."""

PEAK_TFLOPS = {
    "B200": 2250.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "RTX 6000 Ada": 364.0,
    "A6000": 155.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}
"""Dense bfloat16 arithmetic by the makers' data sheets, in TFLOP/s, by a part of the device's name; the first match counts."""


def peak_flops(device_name: str) -> float:
    """Return the device's dense bfloat16 FLOP/s; NaN for a device that is not in the table."""
    known = (value for name, value in PEAK_TFLOPS.items() if name.lower() in device_name.lower())
    return next(known, float("nan")) * 1e12
