"""English words, and random keys and values."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence

from prism.errors import BadInput
from prism.evaluate.ruler.settings import ValueKind

ADJECTIVES = """
able acid agile amber ample ancient angry arctic ardent austere basic blunt bold brave breezy brief bright brisk broad
busy calm candid careful casual chilly civil classic clean clear clever cloudy coarse common cosmic cozy crisp cubic
curious daily dapper daring decent deep dense direct distant dizzy double dusty eager early earnest easy elastic elegant
empty equal eternal exact famous fancy faint fertile fiery firm flat fluent fond formal fragile frank free fresh frosty
gentle giant glossy graceful grand grassy grave hollow honest humble icy ideal idle jolly keen kind large lazy light
lively local lofty lonely loud lucky lunar magic main mellow merry mild misty modern modest muddy narrow neat nimble
noble normal odd open pale patient plain polite proud pure quick quiet rapid rare ready rigid robust rough round royal
rural rustic sacred scenic secret sharp shiny short silent simple slim slow smooth sober solar solid spare spicy steady
steep sturdy subtle sudden sunny sweet swift tall tame tender thick thin tidy tiny tough tranquil urban useful vague
vast vivid vocal warm wary weary wild windy wise witty wooden young zesty
""".split()

NOUNS = """
acorn airport album alley almond anchor ankle apple apron arrow atlas attic badge bagel bakery balcony ballot bamboo
banjo barley barrel basin basket beacon beaver bell bench berry bicycle blanket blossom bonnet border bottle bracket
branch brass bread bridge bronze brook bucket buffalo bundle butter button cabin cable cactus camera canal candle canoe
canvas canyon carbon carpet carrot castle cedar cellar chalk chapel cherry chimney cliff clock cloud clover coast
cobweb comet compass copper coral cotton cradle crater cricket crystal curtain cushion daisy dam dancer desert diamond
dolphin donkey dragon drawer drum eagle easel elbow elm ember engine envelope fabric falcon feather fence fern ferry
fiddle field finger flask flute forest fossil fountain fox freckle garden garlic ginger glacier glove goblet goose grape
gravel guitar hammer harbor harvest hazel helmet hermit hill honey horizon hornet island ivory jacket jewel jungle
kettle kitchen kite ladder lagoon lantern lemon lens library lizard locket lotus magnet mango maple marble market meadow
medal melon mirror mitten monkey mosaic moss mountain museum mustard napkin needle nest nickel notebook nutmeg oak oasis
ocean olive onion orange orchard otter oven oyster paddle palace panther paper parade parrot pebble pencil pepper piano
pigeon pillow pine pirate planet plaza plum pocket poet pond poppy porch potato prairie prism pulley pumpkin puzzle
quarry quilt rabbit raft rainbow raven reef ribbon ridge river robin rocket saddle sailor salmon sandal satin saucer
scarf school seed shadow shelf shell shovel silver skate sofa sparrow spider sponge squirrel stable statue stone storm
stove sugar summit swan table teapot temple thistle thunder tiger timber toast tomato tower tractor trail tulip tunnel
turnip turtle umbrella valley vase velvet village violin volcano wagon walnut walrus water weasel whale wheat whistle
willow window winter wizard wolf wrench yarn zebra zipper
""".split()

_MOST_DRAWS = 1_000


def english_words(generator: random.Random) -> list[str]:
    """Different words in random order: first the single ones, then adjective-noun. About 60,000."""
    single = sorted({*ADJECTIVES, *NOUNS})
    joint = [f"{adjective}-{noun}" for adjective in ADJECTIVES for noun in NOUNS]
    generator.shuffle(single)
    generator.shuffle(joint)
    return single + joint


def maker(generator: random.Random, kind: ValueKind, words: Sequence[str] = (), length: int = 1) -> Callable[[], str]:
    """Draws keys or values: of `length` of `words` where given, else of the kind."""
    if words:
        return lambda: " ".join(generator.choices(words, k=length))
    if kind == "numbers":
        return lambda: str(generator.randrange(10**6, 10**7))
    if kind == "uuids":
        return lambda: str(uuid.UUID(int=generator.getrandbits(128), version=4))
    return lambda: f"{generator.choice(ADJECTIVES)}-{generator.choice(NOUNS)}"


class Distinct:
    """Draws strings of which none holds another, nor occurs in `text`."""

    def __init__(self, make: Callable[[], str], text: str) -> None:
        self._make = make
        self._text = text
        self._drawn: set[str] = set()
        self._lengths: set[int] = set()

    def draw(self) -> str:
        """Raises BadInput when there seems to be none left."""
        for _ in range(_MOST_DRAWS):
            new = self._make()
            if new not in self._drawn and not self._clashes(new) and new not in self._text:
                self._drawn.add(new)
                self._lengths.add(len(new))
                return new
        raise BadInput(
            f"no further key or value that is neither drawn yet nor in the text ({len(self._drawn)} are)",
            place="RULER task",
            remedy="give more key_words or value_words, fewer needles, or another text",
        )

    def _clashes(self, new: str) -> bool:
        """Whether one of the strings holds the other; strings of one length can't."""
        if self._lengths <= {len(new)}:
            return False
        return any(new in old or old in new for old in self._drawn)
