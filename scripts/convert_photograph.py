"""Make the photograph that the package carries from scikit-image's `chelsea.png` (CC0, Stefan van der Walt).

    python scripts/convert_photograph.py PATH/TO/skimage/data/chelsea.png src/torchclinic/cnn/embedded/chelsea.jpg

Cut to a square around the face, reduced to 256x256 pixels with an area-preserving filter, saved as JPEG of quality 88.
"""

import sys
from pathlib import Path

from PIL import Image

CUT = (75, 0, 375, 300)  # left, top, right, bottom
SIZE = 256


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.open(source).convert("RGB").crop(CUT).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    picture.save(target, "JPEG", quality=88, optimize=True)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
