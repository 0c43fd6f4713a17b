"""The words of the world: 91 with the symbols; a word-level tokenizer adds four tokens of its own."""

NAMES = "anna boris carla dmitri elena felix greta hugo irina jonas karin lars".split()
OBJECTS = "cat dog hat car boat door lamp cup coat bag".split()
COLOURS = "red blue green black white brown pink gold".split()
SUBSTANCES = "fire ice water sand wood iron salt acid glass clay".split()
ACTIONS = "heat cold press wind light".split()
STEPS = ("s1", "s2", "s3")
SYMBOLS = "0 1 2 3 4 5 6 7 8 9 + - * = ; ( ) ? : . x f s1 s2 s3 s4 s5 A B C D".split()
FUNCTION_WORDS = "Q code sci calc the of is has a under then gives answer and likes".split()

WORDS = (*SYMBOLS, *FUNCTION_WORDS, *NAMES, *OBJECTS, *COLOURS, *SUBSTANCES, *ACTIONS)
