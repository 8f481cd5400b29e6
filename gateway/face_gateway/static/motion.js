// Boxes that glide: answers come a few times a second, the screen is drawn sixty times.

// Milliseconds in which a box goes most (63 %) of the way to where the last answer has it.
const GLIDE_MS = 70;

const centre = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];

/** How far apart two boxes are, in sizes of the larger one. */
export function apart(one, other) {
  const [[ax, ay], [bx, by]] = [centre(one), centre(other)];
  return Math.hypot(ax - bx, ay - by) / Math.max(one[2] - one[0], other[2] - other[0], 1);
}

/** The face of `shown` that each new face goes on from: the nearest, each once, within one size; or null. */
export function matched(faces, shown) {
  const pairs = faces.flatMap((face, place) => shown.map((old) => ({ place, old, far: apart(face.box, old.box) })));
  const taken = new Set();
  const found = faces.map(() => null);
  for (const { place, old, far } of pairs.sort((a, b) => a.far - b.far)) {
    if (far > 1 || found[place] || taken.has(old)) continue;
    found[place] = old;
    taken.add(old);
  }
  return found;
}

const between = (from, to, share) => from.map((value, axis) => value + (to[axis] - value) * share);

/** Faces on their way from where they are shown to where they were last seen. */
export class Motion {
  constructor(still = false) {
    this.still = still;
    this.shown = [];
    this.seen = [];
  }

  /** A new answer. */
  to(faces) {
    const before = matched(faces, this.shown);
    this.seen = faces;
    this.shown = faces.map((face, place) => {
      const old = before[place];
      return old && !this.still ? { ...face, box: old.box, landmarks: old.landmarks } : face;
    });
  }

  /** The faces after some more milliseconds. */
  after(milliseconds) {
    const share = this.still ? 1 : 1 - Math.exp(-milliseconds / GLIDE_MS);
    this.shown = this.shown.map((face, place) => {
      const goal = this.seen[place];
      const landmarks = Object.fromEntries(Object.entries(goal.landmarks ?? {})
        .map(([name, point]) => [name, between(face.landmarks[name], point, share)]));
      return { ...goal, box: between(face.box, goal.box, share), landmarks };
    });
    return this.shown;
  }
}
