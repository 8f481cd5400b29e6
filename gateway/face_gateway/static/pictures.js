// The pictures of the page and what is known of each; and who is asked about next.

import { formOf, Problem, problemOf, timed } from "./api.js";

// More would only wait for one another on the server.
const MOST_IN_FLIGHT = 2;

// A key that may not ask for names may still ask for faces, and so may everybody where FaceNet will not do.
const NO_NAMES = [403, 501];

/** The path that says names too. */
export const NAMES = "/v1/identify";

/** One picture: its bytes as they came, and the last answer to them. */
export class Picture {
  static count = 0;

  constructor(file) {
    Picture.count += 1;
    this.id = Picture.count;
    this.source = file;
    this.name = file.name || "pasted.png";
    this.file = null;
    this.url = null;
    this.image = null;
    this.answer = null;
    this.problem = null;
    this.waiting = null;
    this.stale = true;
    this.asking = null;
  }

  /** Reads the bytes, so that they are the same each time they are sent, and lets the browser try to show them. */
  async read(mostBytes) {
    const size = this.source.size;
    if (mostBytes && size > mostBytes) {
      throw new Problem(`${this.name} has ${megabytes(size)} MB; the service takes at most ${megabytes(mostBytes)} MB.`);
    }
    try {
      this.file = new Blob([await this.source.arrayBuffer()], { type: this.source.type });
    } catch {
      throw new Problem(`${this.name} cannot be read: it may be a folder, or have been moved.`);
    }
    this.url = URL.createObjectURL(this.file);
    const image = new Image();
    image.src = this.url;
    this.image = await image.decode().then(() => image, () => null);
  }

  /** Upright, in pixels; as the service says, or else the browser; null: nobody knows yet. */
  get size() {
    if (this.answer) return [this.answer.image.width, this.answer.image.height];
    return this.image ? [this.image.naturalWidth, this.image.naturalHeight] : null;
  }

  get faces() {
    return this.answer?.image.faces ?? [];
  }

  drop() {
    this.asking?.abort();
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/**
 * Asks about pictures, the selected one first. changed: called with a picture whenever something is known of it;
 * nameless: with the problem, when names cannot be had and faces alone are asked for from then on.
 */
export class Questions {
  constructor(changed, nameless) {
    this.changed = changed;
    this.nameless = nameless;
    this.path = "/v1/detect";
    this.parameters = {};
    this.pictures = [];
    this.selected = null;
  }

  /** All answers are of other parameters from now on: requests in flight are given up. */
  renew(parameters) {
    this.parameters = parameters;
    for (const picture of this.pictures) this.again(picture);
    this.next();
  }

  /** One picture is to be asked about anew. */
  again(picture) {
    picture.asking?.abort();
    picture.asking = null;
    picture.stale = true;
  }

  /** Starts what there is room for. */
  next() {
    const ready = (picture) => picture.stale && picture.file && !picture.asking;
    while (this.pictures.filter((picture) => picture.asking).length < MOST_IN_FLIGHT) {
      const picture = [this.selected, ...this.pictures].find((each) => each && ready(each));
      if (!picture) return;
      this.about(picture);
    }
  }

  async about(picture) {
    const asking = new AbortController();
    picture.asking = asking;
    picture.stale = false;
    this.changed(picture);
    const asked = { path: this.path, parameters: this.parameters };
    try {
      const answer = await timed(asked.path, {
        method: "POST",
        body: formOf(picture.file, picture.name, asked.parameters),
        signal: asking.signal,
        busy: (seconds) => {
          picture.waiting = seconds;
          this.changed(picture);
        },
      }, (response) => response.json());
      const [image] = answer.body.images;
      if (image.error) throw problemOf(image.error);
      Object.assign(picture, { problem: null, answer: { ...answer, ...asked, image } });
    } catch (error) {
      if (asking.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      if (NO_NAMES.includes(error.status) && asked.path === NAMES) {
        this.path = "/v1/detect";
        this.nameless(error);
        picture.stale = true;
        return;
      }
      Object.assign(picture, { problem: error, answer: null });
    } finally {
      if (picture.asking === asking) {
        Object.assign(picture, { asking: null, waiting: null });
        this.changed(picture);
        this.next();
      }
    }
  }
}
