"""The standard library at work: files, JSON, regular expressions, hashes, big integers, decimals, generators, exceptions."""
import collections
import dataclasses
import decimal
import hashlib
import json
import os
import re
import struct
import sys
import time
import zlib

print(sys.implementation.name, sys.version_info[:2], sys.byteorder, sys.argv[1:], os.environ["BIRD"])


@dataclasses.dataclass(order=True)
class Bird:
    grams: float
    name: str = dataclasses.field(compare=False)


birds = sorted(Bird(g, n) for g, n in [(9.5, "wren"), (5.7, "goldcrest"), (5.5, "firecrest")])
print(birds[0], max(birds).name)

path = "/tmp/birds.json"
with open(path, "w", encoding="utf-8") as file:
    json.dump([dataclasses.asdict(bird) for bird in birds] + ["é", None, 1e400, 10**30], file)
with open(path, encoding="utf-8") as file:
    text = file.read()
print(text, os.stat(path).st_size, os.listdir("/tmp"))
print(re.sub(r"(?<=\")(?P<first>\w)(\w+crest)", lambda m: m["first"].upper() + m[2], text)[:60])
os.rename(path, "/tmp/moved.json")
os.remove("/tmp/moved.json")
try:
    open(path)
except FileNotFoundError as error:
    print(type(error).__name__, error.errno == 44 or error.strerror)

print(2**521 % 1000000007, pow(3, -1, 2**61 - 1), (10**40).bit_length(), f"{0.1 + 0.2!r} {1e22:g} {-7 // 2} {-7 % 3}")
print(decimal.Decimal(2).sqrt(decimal.Context(prec=50)))
print(hashlib.sha256(text.encode()).hexdigest()[:16], hashlib.md5(b"kinglet").hexdigest()[:16], zlib.crc32(text.encode()))
print(struct.pack("<hqd", -2, 1 << 40, 0.5).hex(), zlib.decompress(zlib.compress(text.encode() * 50, 9))[-4:])


def primes():
    seen = {}
    for n in range(2, 10**9):
        if n not in seen:
            yield n
            seen[n * n] = [n]
        else:
            for p in seen.pop(n):
                seen.setdefault(n + p, []).append(p)


stream = primes()
print([next(stream) for _ in range(2000)][-1], collections.Counter("mississippi").most_common(2))


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


print(depth(200))
try:
    depth(10**6)
except RecursionError as error:
    print(error)
start = time.monotonic()
time.sleep(0.02)
print(time.monotonic() - start >= 0.02, time.time() > 1.7e9, len(os.urandom(16)))
print(sys.stdin.read().split())
print("to standard error", file=sys.stderr)
sys.exit(6)
