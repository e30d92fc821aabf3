"""The shop's collection: which photos there are, of what, and how each was taken.

Owns file names, colours and camera settings. Leaves drawing to the modules of garments and writing to `draw`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bags import bag, canvas
from fabrics import (
    Colour,
    Fabric,
    checks,
    corded,
    dots,
    flowers,
    jersey,
    knit,
    leather,
    melange,
    rubber,
    stripes,
    suede,
    twill,
    woven,
)
from items import Item
from numpy.random import Generator
from other_things import potted_plant, wrist_watch
from sandals import sandal
from shirts import coat, shirt
from shoes import boot, sneaker
from skirts_trousers import dress, trousers
from studio import Shot
from tops import pullover, tshirt

Treatment = Literal["colour", "gray", "cmyk", "turned", "cut out", "palette", "truncated"]

WHITE: Colour = (255, 255, 255)
PAPER: Colour = (243, 242, 239)
GREY: Colour = (214, 215, 214)
SAND: Colour = (228, 217, 200)
SAGE: Colour = (200, 210, 195)
SKY: Colour = (200, 213, 224)
ROSE: Colour = (232, 210, 204)


@dataclass(frozen=True)
class Picture:
    """One file: its path in the folder of photos, what it shows, how it was taken and what is odd about the file."""

    path: str
    label: str | None
    draw: Callable[[Generator], Item]
    shot: Shot
    treatment: Treatment = "colour"

    @property
    def sku(self) -> str:
        """The product: the file's stem without a trailing `_1`, `-2`, `_front` or `_back`."""
        stem = self.path.rpartition("/")[2].rpartition(".")[0]
        return re.sub(r"[-_](?:\d{1,2}|front|back)$", "", stem)


def taken(width: int, height: int, backdrop: Colour = WHITE, *, lean: float = 0.0, margin: float = 0.06) -> Shot:
    """Give the camera settings: coloured backdrops are walls with some falloff of light, white ones are lit."""
    return Shot(width, height, backdrop, falloff=0.0 if backdrop == WHITE else 0.16, lean=lean, margin=margin)


def collection() -> list[Picture]:
    """Return all pictures."""
    return [
        *_tshirts(), *_pullovers(), *_shirts(), *_coats(), *_dresses(),
        *_trousers(), *_sneakers(), *_boots(), *_sandals(), *_bags(), *_others(),
    ]  # fmt: skip


def _tshirts() -> list[Picture]:
    red, gray = Fabric((176, 58, 62), weave=jersey), Fabric((128, 134, 142), weave=melange)
    sailor = Fabric((222, 220, 212), pattern=stripes((60, 78, 112), period=6.4, share=0.45), weave=jersey)
    sea, olive = Fabric((132, 168, 178), weave=jersey), Fabric((118, 122, 84), weave=jersey)
    kind = "T-shirt/top"
    return [
        Picture("TSH-RED_front.jpg", kind, lambda r: tshirt(r, red), taken(1200, 1200)),
        Picture("TSH-RED_back.jpg", kind, lambda r: tshirt(r, red, view="back"), taken(1200, 1200)),
        Picture("TSH-1103.jpg", kind, lambda r: tshirt(r, sailor), taken(900, 1000, PAPER), "turned"),
        Picture("TSH-1107.png", kind, lambda r: tshirt(r, sea, print_=(44, 72, 100)), taken(600, 640), "cut out"),
        Picture("TSH-1112_1.jpg", kind, lambda r: tshirt(r, gray, v_neck=True), taken(1000, 1100)),
        Picture("TSH-1112_2.jpg", kind, lambda r: tshirt(r, gray, v_neck=True), taken(800, 800, SAND, lean=2.5)),
        Picture("TSH-1120.jpg", kind, lambda r: tshirt(r, olive), taken(700, 800), "gray"),
    ]


def _pullovers() -> list[Picture]:
    blue, gray = Fabric((86, 108, 150), weave=knit), Fabric((130, 130, 136), weave=melange)
    bands = Fabric((150, 74, 70), pattern=stripes((214, 196, 170), period=13, share=0.4), weave=knit)
    cable, wine = Fabric((196, 180, 152), weave=corded), Fabric((124, 62, 78), weave=knit)
    moss = Fabric((110, 124, 96), weave=melange)
    kind = "Pullover"
    return [
        Picture("knitwear/PUL-3001_front.jpg", kind, lambda r: pullover(r, blue), taken(1100, 1200)),
        Picture("knitwear/PUL-3001_back.jpg", kind, lambda r: pullover(r, blue, view="back"), taken(1100, 1200)),
        Picture("knitwear/HOD-3004.jpg", kind, lambda r: pullover(r, gray, neck="hood"), taken(1000, 1200, PAPER)),
        Picture("knitwear/PUL-3007.webp", kind, lambda r: pullover(r, bands), taken(800, 900)),
        Picture("knitwear/PUL-3010.jpg", kind, lambda r: pullover(r, wine, neck="roll"), taken(900, 1000, ROSE)),
        Picture("knitwear/PUL-3013.jpg", kind, lambda r: pullover(r, cable), taken(1400, 1500)),
        Picture("knitwear/PUL-3016.jpg", kind, lambda r: pullover(r, moss, neck="v"), taken(700, 760), "cmyk"),
    ]


def _shirts() -> list[Picture]:
    sky, ink = Fabric((150, 172, 200), weave=jersey), Fabric((72, 84, 108), weave=twill)
    lumber = Fabric((52, 54, 76), pattern=checks((164, 58, 56), (226, 214, 196), period=8))
    pencil = Fabric((208, 212, 216), pattern=stripes((96, 118, 160), period=2.6, share=0.4, upright=True))
    hawaii = Fabric((58, 108, 116), pattern=flowers((228, 148, 136), (240, 208, 104), (38, 88, 66), period=9))
    blossom = Fabric((110, 74, 98), pattern=flowers((226, 196, 200), (226, 180, 90), (78, 92, 84), period=6))
    kind, brass = "Shirt", (186, 140, 84)
    return [
        Picture("SHR-5001_front.jpg", kind, lambda r: shirt(r, sky), taken(1500, 1700)),
        Picture("SHR-5001_back.jpg", kind, lambda r: shirt(r, sky, view="back"), taken(1000, 1140)),
        Picture("SHR-5004.jpg", kind, lambda r: shirt(r, lumber, pockets=2), taken(900, 1000)),
        Picture("SHR-5007.webp", kind, lambda r: shirt(r, pencil, pockets=0), taken(900, 1000, GREY)),
        Picture("SHR-5010.jpg", kind, lambda r: shirt(r, hawaii, short=True), taken(900, 1000, SAND, lean=-2)),
        Picture("SHR-5013.jpg", kind, lambda r: shirt(r, blossom, pockets=0), taken(800, 900), "turned"),
        Picture(
            "SHR-5016.jpg",
            kind,
            lambda r: shirt(r, ink, pockets=2, buttons=brass, thread=(206, 158, 92)),
            taken(800, 900, PAPER),
        ),
    ]


def _coats() -> list[Picture]:
    wool, camel = Fabric((92, 88, 94), weave=melange), Fabric((150, 116, 80), weave=melange)
    sand, army = Fabric((166, 138, 100), weave=twill), Fabric((92, 100, 76), weave=twill)
    down, jean = Fabric((60, 80, 118), gloss=0.22, wrinkle=0.6), Fabric((84, 108, 142), weave=twill)
    kind = "Coat"
    return [
        Picture("outerwear/CT-4001_1.jpg", kind, lambda r: coat(r, wool), taken(1300, 1500)),
        Picture("outerwear/CT-4001_2.jpg", kind, lambda r: coat(r, wool), taken(800, 900, SKY, lean=2)),
        Picture("outerwear/CT-4004.jpg", kind, lambda r: coat(r, sand, style="trench"), taken(1000, 1150)),
        Picture("outerwear/CT-4007.jpg", kind, lambda r: coat(r, army, style="parka"), taken(900, 1050, PAPER)),
        Picture("outerwear/JKT-4010.webp", kind, lambda r: coat(r, down, style="quilted"), taken(900, 1000)),
        Picture("outerwear/JKT-4013.jpg", kind, lambda r: coat(r, jean, style="denim"), taken(800, 900)),
        Picture("outerwear/CT-4016.jpg", kind, lambda r: coat(r, camel), taken(700, 800), "gray"),
    ]


def _dresses() -> list[Picture]:
    berry, dotted = (
        Fabric((152, 76, 98), weave=jersey),
        Fabric((62, 88, 110), dots((228, 228, 220), period=5, radius=1)),
    )
    green, rust = Fabric((78, 116, 96), weave=jersey), Fabric((160, 92, 64), weave=knit)
    meadow = Fabric((196, 200, 178), pattern=flowers((196, 96, 96), (236, 204, 110), (104, 134, 96), period=7))
    slate = Fabric((98, 106, 122), weave=jersey)
    kind = "Dress"
    return [
        Picture("dresses/DR-1042_1.jpg", kind, lambda r: dress(r, berry, top="straps"), taken(1200, 1800)),
        Picture(
            "dresses/DR-1042_2.jpg", kind, lambda r: dress(r, berry, top="straps"), taken(800, 1100, ROSE, lean=-2)
        ),
        Picture("dresses/DR-1045_front.jpg", kind, lambda r: dress(r, dotted, belt=(122, 82, 54)), taken(900, 1200)),
        Picture("dresses/DR-1045_back.jpg", kind, lambda r: dress(r, dotted, view="back"), taken(900, 1200)),
        Picture(
            "dresses/DR-1048.webp",
            kind,
            lambda r: dress(r, green, top="short", flare=18, buttons=(230, 225, 210)),
            taken(800, 1000, PAPER),
        ),
        Picture("dresses/DR-1051.jpg", kind, lambda r: dress(r, rust, top="long", flare=16), taken(800, 1000)),
        Picture("dresses/DR-1054.jpg", kind, lambda r: dress(r, meadow, flare=24), taken(800, 1000, GREY), "turned"),
        Picture("dresses/DR-1057.png", kind, lambda r: dress(r, slate, flare=17), taken(460, 700), "cut out"),
    ]


def _trousers() -> list[Picture]:
    jean, black = Fabric((82, 106, 144), weave=twill), Fabric((74, 74, 80), weave=twill)
    chino, sweat = Fabric((178, 152, 114), weave=twill), Fabric((126, 128, 132), weave=melange)
    plum, teal = Fabric((104, 82, 100), weave=jersey), Fabric((70, 104, 110), weave=twill)
    kind = "Trouser"
    return [
        Picture("JNS-2001_front.jpg", kind, lambda r: trousers(r, jean), taken(1500, 2000)),
        Picture("JNS-2001_back.jpg", kind, lambda r: trousers(r, jean, view="back"), taken(900, 1200)),
        Picture("JNS-2005.jpg", kind, lambda r: trousers(r, black, thread=(120, 116, 110)), taken(800, 1000, SAND)),
        Picture("TRS-2010.jpg", kind, lambda r: trousers(r, chino, style="chino"), taken(750, 1000)),
        Picture("TRS-2014.webp", kind, lambda r: trousers(r, sweat, style="jogger"), taken(700, 1000, PAPER)),
        Picture("TRS-2018.jpg", kind, lambda r: trousers(r, plum, style="wide"), taken(800, 1100), "cmyk"),
        Picture("TRS-2022.gif", kind, lambda r: trousers(r, teal, style="chino"), taken(450, 640), "palette"),
    ]


def _sneakers() -> list[Picture]:
    chalk, pine = leather((206, 204, 198)), leather((74, 116, 98))
    mesh, orange = Fabric((104, 116, 134), weave=woven), Fabric((206, 112, 68), weave=woven)
    cherry, navy = Fabric((150, 60, 62), weave=woven), Fabric((74, 80, 98), weave=suede)
    kind, gum = "Sneaker", (196, 160, 118)
    return [
        Picture("footwear/SNK-7001_1.jpg", kind, lambda r: sneaker(chalk, pine), taken(1400, 1000)),
        Picture("footwear/SNK-7001_2.jpg", kind, lambda r: sneaker(chalk, pine), taken(1000, 1000, margin=0.14)),
        Picture("footwear/SNK-7004.jpg", kind, lambda r: sneaker(mesh, orange, style="runner"), taken(1200, 800)),
        Picture(
            "footwear/SNK-7007.jpg",
            kind,
            lambda r: sneaker(cherry, rubber((156, 62, 60)), style="canvas"),
            taken(900, 700, SAGE),
        ),
        Picture("footwear/SNK-7010.webp", kind, lambda r: sneaker(navy, chalk, style="skate"), taken(1000, 800, PAPER)),
        Picture(
            "footwear/SNK-7013.jpg",
            kind,
            lambda r: sneaker(pine, chalk, style="skate", sole=gum),
            taken(800, 640),
            "gray",
        ),
        Picture(
            "footwear/SNK-7016.png", kind, lambda r: sneaker(mesh, navy, style="runner"), taken(700, 420), "cut out"
        ),
    ]


def _boots() -> list[Picture]:
    tan, brown = leather((152, 106, 68)), leather((120, 82, 58))
    slate, mud = Fabric((96, 92, 100), weave=suede), Fabric((132, 110, 88), weave=suede)
    black = leather((70, 68, 72))
    kind = "Ankle boot"
    return [
        Picture("footwear/BT-8001_1.jpg", kind, lambda r: boot(brown), taken(1400, 1200)),
        Picture("footwear/BT-8001_2.jpg", kind, lambda r: boot(brown), taken(900, 900, SAND)),
        Picture("footwear/BT-8004.jpg", kind, lambda r: boot(tan, style="lace"), taken(1100, 1000)),
        Picture("footwear/BT-8007.webp", kind, lambda r: boot(slate, style="heel"), taken(800, 800, PAPER)),
        Picture("footwear/BT-8010.jpg", kind, lambda r: boot(mud, style="hiking"), taken(1000, 900), "turned"),
        Picture("footwear/BT-8013.tif", kind, lambda r: boot(black), taken(600, 540)),
    ]


def _sandals() -> list[Picture]:
    blue, cork = rubber((76, 120, 150)), leather((122, 88, 64))
    honey, red = leather((172, 116, 76)), leather((156, 66, 74))
    web, denim = Fabric((84, 94, 104), weave=woven), Fabric((94, 114, 142), weave=twill)
    kind = "Sandal"
    return [
        Picture(
            "footwear/SDL-6001.jpg", kind, lambda r: sandal(blue, style="flip", sole=(78, 86, 100)), taken(1000, 700)
        ),
        Picture("footwear/SDL-6004.jpg", kind, lambda r: sandal(cork, style="slide"), taken(900, 700, SKY)),
        Picture("footwear/SDL-6007_1.jpg", kind, lambda r: sandal(honey), taken(1300, 900)),
        Picture("footwear/SDL-6007_2.jpg", kind, lambda r: sandal(honey), taken(800, 800, SAND)),
        Picture(
            "footwear/SDL-6010.webp", kind, lambda r: sandal(web, style="sport", sole=(92, 92, 98)), taken(1000, 760)
        ),
        Picture("footwear/SDL-6013.jpg", kind, lambda r: sandal(red, style="heel"), taken(900, 1000)),
        Picture(
            "footwear/SDL-6016.jpg",
            kind,
            lambda r: sandal(denim, style="wedge", sole=(190, 162, 124)),
            taken(900, 800, PAPER),
        ),
    ]


def _bags() -> list[Picture]:
    linen, saddle = canvas((164, 160, 146)), leather((154, 104, 68))
    wine, slate = leather((128, 60, 72)), canvas((84, 102, 112))
    petrol, night = leather((84, 116, 118)), leather((78, 84, 104))
    kind = "Bag"
    return [
        Picture("bags/BAG-9001_front.jpg", kind, lambda r: bag(r, linen), taken(1200, 1300)),
        Picture("bags/BAG-9001_back.jpg", kind, lambda r: bag(r, linen), taken(900, 1000, GREY, lean=1)),
        Picture("bags/BAG-9004.jpg", kind, lambda r: bag(r, saddle, style="satchel"), taken(1200, 1100)),
        Picture("bags/BAG-9007.jpg", kind, lambda r: bag(r, wine, style="shoulder"), taken(900, 1000, ROSE)),
        Picture("bags/BAG-9010.jpg", kind, lambda r: bag(r, slate, style="backpack"), taken(900, 1000)),
        Picture("bags/BAG-9013.webp", kind, lambda r: bag(r, petrol, style="clutch"), taken(1000, 700)),
        Picture("bags/BAG-9016.jpg", kind, lambda r: bag(r, night, style="doctor"), taken(900, 800), "cmyk"),
        Picture("bags/BAG-9019.png", kind, lambda r: bag(r, saddle, style="doctor"), taken(600, 520), "palette"),
    ]


def _others() -> list[Picture]:
    return [
        Picture("home/PLT-0421.jpg", None, lambda _: potted_plant((190, 114, 84)), taken(800, 900, PAPER)),
        Picture("home/WTC-0550.jpg", None, lambda _: wrist_watch((110, 74, 52), (44, 62, 92)), taken(700, 1000)),
        Picture(
            "outerwear/CT-4019.jpg",
            "Coat",
            lambda r: coat(r, Fabric((104, 84, 88), weave=melange), style="trench"),
            taken(800, 900),
            "truncated",
        ),
    ]
