// Every construct here has to be understood, lowered or removed by the minifier.
import { readFile } from "node:fs/promises";

interface Bird {
  readonly name: string;
  wingspan?: number;
}

enum Size {
  Small = 1,
  Large = Small << 4,
}

const enum Colour {
  Gold = "gold",
}

namespace Flock {
  export const limit: number = 2 * 60 + 1;
}

abstract class Nest<T extends Bird> {
  #birds: T[] = [];
  constructor(private readonly colour: Colour, public size: Size = Size.Small) {}

  add(bird: T): this {
    if (this.#birds.length >= Flock.limit) throw new RangeError(`nest is full: ${this.#birds.length}`);
    this.#birds.push(bird);
    return this;
  }

  abstract describe(): string;

  widest(): number | undefined {
    return this.#birds.map((bird) => bird.wingspan ?? 0).reduce((a, b) => (a > b ? a : b), -Infinity);
  }
}

function unusedHelper(value: unknown): asserts value is string {
  if (typeof value !== "string") throw new TypeError();
}

class Kinglets extends Nest<Bird> {
  describe(): string {
    return "kinglets" as const;
  }
}

export async function load<T = string>(path: string): Promise<T | null> {
  const text = await readFile(path, { encoding: "utf8" });
  return text?.length > 0 ? (JSON.parse(text) as T) : null;
}

export const nest = new Kinglets(Colour.Gold, Size.Large).add({ name: "ruby" }).add({ name: "ciel bleu \u00e9", wingspan: 0x10 });
