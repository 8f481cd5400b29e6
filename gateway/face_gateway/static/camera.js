// The camera, at the service's pace: a frame is taken when there is room for it, so none waits and goes stale.

import { ask, Problem } from "./api.js";
import { Drawing, shape } from "./drawing.js";
import { byId } from "./elements.js";
import { Motion } from "./motion.js";

const MOST_IN_FLIGHT = 2;
const QUALITY = 0.8;
// Rate and latency are those of the last so many milliseconds.
const WINDOW_MS = 3000;

const REFUSALS = {
  NotAllowedError: "The camera is not allowed here. Allow it beside the page's address, then start again.",
  NotFoundError: "There is no camera.",
  OverconstrainedError: "There is no camera.",
  NotReadableError: "The camera cannot be read: another program may have it.",
};

async function open() {
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new Problem("Browsers give the camera to pages over https or from this machine (127.0.0.1) alone.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
  } catch (error) {
    throw new Problem(REFUSALS[error.name] ?? `The camera cannot be opened: ${error.message}`);
  }
}

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** question: gives path and parameters to ask with. */
export class Camera {
  constructor(question) {
    this.question = question;
    this.video = byId("video");
    this.drawing = new Drawing(byId("camera-frame"));
    this.canvas = document.createElement("canvas");
    this.run = null;
    byId("camera-stop").addEventListener("click", () => this.stop("Stopped."));
    byId("camera-again").addEventListener("click", () => this.start());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.run) this.stop("Stopped, as the page was out of sight.");
    });
  }

  async start() {
    this.stop();
    // What belongs to this start alone: what ends late must not touch the next one.
    const run = { over: new AbortController(), inFlight: 0, taken: 0, answered: 0, answers: [], drawn: null, motion: null };
    run.motion = new Motion(matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.run = run;
    this.say("Opening the camera …");
    try {
      const stream = await open();
      run.over.signal.addEventListener("abort", () => stream.getTracks().forEach((track) => track.stop()));
      if (this.run !== run) {
        run.over.abort();
        return;
      }
      for (const track of stream.getTracks()) track.addEventListener("ended", () => this.stop("The camera is gone."));
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (this.run === run) this.stop(error instanceof Problem ? error.words : `The camera shows nothing: ${error.message}`);
      return;
    }
    this.say("The camera is on.");
    this.eachFrame(run);
    this.draw(run, performance.now());
  }

  /** Stops, if it runs. why: said to the person. */
  stop(why = "") {
    this.run?.over.abort();
    this.run = null;
    this.video.srcObject = null;
    this.drawing.show(1, 1, []);
    this.say(why);
  }

  say(words) {
    byId("camera-status").textContent = words;
    byId("camera-stop").hidden = !this.run;
    byId("camera-again").hidden = Boolean(this.run);
    byId("camera-numbers").hidden = !this.run?.answers.length;
  }

  /** Whenever the video has a new picture, it is sent if there is room. */
  eachFrame(run) {
    const next = () => this.eachFrame(run);
    const look = () => {
      if (this.run !== run) return;
      if (run.inFlight < MOST_IN_FLIGHT) this.send(run);
      next();
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(look);
    else requestAnimationFrame(look);
  }

  async send(run) {
    run.inFlight += 1;
    run.taken += 1;
    const number = run.taken;
    const start = performance.now();
    try {
      const frame = await this.jpeg();
      const { path, parameters } = this.question();
      const query = new URLSearchParams(parameters).toString();
      const response = await ask(query ? `${path}?${query}` : path, {
        method: "POST",
        body: frame,
        headers: { "Content-Type": "image/jpeg" },
        signal: run.over.signal,
        busy: (seconds) => this.say(`The service is busy: goes on in ${Math.ceil(seconds)} s.`),
      });
      this.take(run, number, start, (await response.json()).images[0]);
    } catch (error) {
      if (run.over.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.stop(error.words);
    } finally {
      run.inFlight -= 1;
    }
  }

  /** The video's picture, no wider than is set. */
  jpeg() {
    const { videoWidth, videoHeight } = this.video;
    const width = Math.min(Number(byId("camera-width").value), videoWidth);
    this.canvas.width = width;
    this.canvas.height = Math.round((width * videoHeight) / videoWidth);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", QUALITY));
  }

  take(run, number, start, image) {
    if (this.run !== run) return;
    const now = performance.now();
    run.answers = [...run.answers.filter(({ at }) => at > now - WINDOW_MS), { at: now, latency: now - start }];
    // One that was overtaken has nothing new to show.
    if (number > run.answered) {
      run.answered = number;
      run.size = [image.width, image.height];
      run.motion.to(image.faces, start);
    }
    if (byId("camera-status").textContent !== "The camera is on.") this.say("The camera is on.");
    this.tell(run, now, image.faces.length);
  }

  tell(run, now, faces) {
    // Read more often, nobody could.
    if (run.told && now - run.told < 250) return;
    run.told = now;
    const { answers } = run;
    const seconds = (now - answers[0].at) / 1000;
    byId("camera-rate").textContent = seconds > 0 ? ((answers.length - 1) / seconds).toFixed(1) : "–";
    byId("camera-latency").textContent = median(answers.map(({ latency }) => latency)).toFixed(0);
    byId("camera-faces").textContent = faces;
    byId("camera-numbers").hidden = false;
  }

  draw(run, before) {
    requestAnimationFrame((now) => {
      if (this.run !== run) return;
      const { videoWidth, videoHeight } = this.video;
      if (videoWidth) shape(byId("camera-frame"), videoWidth, videoHeight);
      if (run.size) this.drawing.show(...run.size, run.motion.now(now, now - before));
      this.draw(run, now);
    });
  }
}
