// Boxes that glide: answers come some times a second and are of a moment ago; the screen is drawn sixty times, and is of now.

// Milliseconds in which a box goes most (63 %) of the way to where it should be.
const GLIDE_MS = 45;

// A face that moves is drawn where it should have come to meanwhile, but for no longer than this: it may have turned.
const MOST_AHEAD_MS = 250;

const centre = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];

/** How far apart two boxes are, in sizes of the larger one. */
export function apart(one, other) {
  const [[ax, ay], [bx, by]] = [centre(one), centre(other)];
  return Math.hypot(ax - bx, ay - by) / Math.max(one[2] - one[0], other[2] - other[0], 1);
}

/** The track that each new face goes on from: the nearest, each once, within one size; or null. */
export function matched(faces, tracks) {
  const pairs = faces.flatMap((face, place) => tracks.map((track) => ({ place, track, far: apart(face.box, track.seen) })));
  const taken = new Set();
  const found = faces.map(() => null);
  for (const { place, track, far } of pairs.sort((a, b) => a.far - b.far)) {
    if (far > 1 || found[place] || taken.has(track)) continue;
    found[place] = track;
    taken.add(track);
  }
  return found;
}

/** Box and landmarks as one list of numbers. */
const numbersOf = (face) => [...face.box, ...Object.values(face.landmarks ?? {}).flat()];

function withNumbers(face, numbers) {
  const names = Object.keys(face.landmarks ?? {});
  const landmarks = Object.fromEntries(names.map((name, place) => [name, numbers.slice(4 + 2 * place, 6 + 2 * place)]));
  return { ...face, box: numbers.slice(0, 4), landmarks };
}

const mixed = (one, other, share) => one.map((value, place) => value + (other[place] - value) * share);

/** Faces on their way. A track: the face, its numbers as they were last seen and as they are shown, its speed. */
export class Motion {
  /** still: faces stay where they were last seen. */
  constructor(still = false) {
    this.still = still;
    this.tracks = [];
    this.at = 0;
  }

  /** A new answer. at: when its frame was taken, in milliseconds. */
  to(faces, at) {
    const before = matched(faces, this.tracks);
    const passed = Math.max(at - this.at, 1);
    this.tracks = faces.map((face, place) => {
      const seen = numbersOf(face);
      const old = before[place];
      if (!old) return { face, seen, shown: seen, speed: seen.map(() => 0) };
      const speed = seen.map((value, each) => (value - old.seen[each]) / passed);
      // Half of it is noise of where the networks see a face.
      return { face, seen, shown: old.shown, speed: mixed(old.speed, speed, 0.5) };
    });
    this.at = at;
  }

  /** The faces at a time, so many milliseconds after they were drawn last. */
  now(time, passed) {
    const ahead = Math.min(Math.max(time - this.at, 0), MOST_AHEAD_MS);
    const share = 1 - Math.exp(-passed / GLIDE_MS);
    return this.tracks.map((track) => {
      const goal = track.seen.map((value, place) => value + track.speed[place] * ahead);
      track.shown = this.still ? track.seen : mixed(track.shown, goal, share);
      return withNumbers(track.face, track.shown);
    });
  }
}
