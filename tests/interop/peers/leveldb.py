"""C++ LevelDB (inside plyvel) at a directory: `fill DIR WRITES SEED`, `dump DIR`, `hold DIR`."""
import random
import sys

import plyvel

verb, folder = sys.argv[1:3]
try:
    # Small buffers, so that a few thousand writes make tables and merge them.
    database = plyvel.DB(folder, create_if_missing=verb == "fill", paranoid_checks=True, write_buffer_size=1 << 16)
except (plyvel.Error, IOError) as error:
    print("refused: %s" % error)
    sys.exit(0)
if verb == "fill":
    dice = random.Random(int(sys.argv[4]))
    for _ in range(int(sys.argv[3])):
        key = b"%010d" % dice.randrange(500)
        if dice.random() < 0.25:
            database.delete(key, sync=dice.random() < 0.1)
        else:
            # Half of the values compress well.
            word = bytes(dice.randrange(256) for _ in range(8)) if dice.random() < 0.5 else b"a" * 8
            database.put(key, word * dice.randrange(60), sync=dice.random() < 0.1)
elif verb == "dump":
    for key, value in database.iterator(verify_checksums=True):
        print("%s %s" % (key.hex(), value.hex()))
elif verb == "hold":
    print("open", flush=True)
    sys.stdin.read()
database.close()
