// Puts the page together: which pictures there are, which is selected, and who is told when something is new.

import { ask, Problem } from "./api.js";
import { Calls } from "./calls.js";
import { Camera } from "./camera.js";
import { byId, counted, say } from "./elements.js";
import { busyWhile, FaceList } from "./faces.js";
import { takeFiles } from "./files.js";
import { forgetKey, showForget } from "./key.js";
import { People } from "./people.js";
import { PictureView } from "./picture.js";
import { NAMES, Picture, Questions } from "./pictures.js";
import { saveCrops, saveWithoutFaces } from "./saving.js";
import { Settings } from "./sliders.js";
import { Strip } from "./strip.js";
import { bar } from "./timing.js";

// A slider on its way: only where it rests for a moment is asked about.
const REST_MS = 120;

let service = { keys: false, limits: {}, identification: false, enrolment: false, parameters: {} };
let people = null;
let selectedFace = null;
let resting = null;

const questions = new Questions(update, (problem) => say(byId("trouble"), `Names are not said: ${problem.words}`));
const view = new PictureView(byId("picture"), { chosen: chooseFace, again: askAgain, removed: remove });
const faces = new FaceList({ selected: chooseFace, extra: (picture, face) => (people ? [people.form(picture, face)] : []) });
const strip = new Strip(select);
const calls = new Calls();
const camera = new Camera(() => questions);

function showSection(name) {
  for (const each of ["empty", "work", "camera"]) byId(each).hidden = each !== name;
  // One set of settings for pictures and camera, wherever they are looked at.
  byId(name).querySelector("[data-settings]")?.append(byId("settings"));
  document.body.dataset.shows = name;
}

function showPictures() {
  camera.stop();
  showSection(questions.pictures.length ? "work" : "empty");
  questions.next();
}

async function add(files) {
  const pictures = files.map((file) => new Picture(file));
  questions.pictures.push(...pictures);
  showPictures();
  select(pictures[0]);
  for (const picture of pictures) {
    try {
      await picture.read(service.limits.body_bytes);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      picture.problem = error;
    }
    update(picture);
    questions.next();
  }
}

function select(picture) {
  if (questions.selected !== picture) selectedFace = null;
  questions.selected = picture;
  update(picture);
  questions.next();
}

function remove(picture) {
  picture.drop();
  const place = questions.pictures.indexOf(picture);
  questions.pictures.splice(place, 1);
  const next = questions.pictures[Math.min(place, questions.pictures.length - 1)];
  questions.selected = null;
  showPictures();
  if (next) select(next);
  byId("main").focus();
}

function askAgain(picture) {
  questions.again(picture);
  questions.next();
}

function chooseFace(place) {
  selectedFace = place;
  update(questions.selected);
}

/** Shows what is new of a picture. */
function update(picture) {
  strip.show(questions.pictures, questions.selected);
  if (!picture || picture !== questions.selected) return;
  if (selectedFace >= picture.faces.length) selectedFace = null;
  view.show(picture, selectedFace);
  faces.show(picture, selectedFace);
  const { answer } = picture;
  const words = headline(picture);
  // The same words again would be read out again.
  if (byId("status").textContent !== words) byId("status").textContent = words;
  byId("timing").replaceChildren(...(answer ? [bar(answer.stages, answer.milliseconds)] : []));
  byId("saving").hidden = !answer;
  byId("calls").hidden = !answer;
  if (answer) {
    calls.show({ url: location.origin + answer.path, name: picture.name, parameters: answer.parameters,
      keys: service.keys, answer: answer.body });
  }
}

function headline({ waiting, problem, answer, asking }) {
  if (waiting) return `The service is busy. It is asked again in ${Math.ceil(waiting)} s.`;
  if (problem) return "No answer for this picture.";
  if (answer) return `${counted(answer.image.faces.length, "face")} found in ${Math.round(answer.milliseconds)} ms`;
  return asking ? "Looking for faces …" : "Reading the picture …";
}

function changeParameters(parameters) {
  clearTimeout(resting);
  resting = setTimeout(() => {
    questions.renew(parameters);
    // Else the camera's frames are asked about, and pictures wait until they are seen again.
    if (!camera.run) questions.next();
  }, REST_MS);
}

async function addSample() {
  try {
    const response = await ask("/static/sample.jpg");
    await add([new File([await response.blob()], "sample.jpg", { type: "image/jpeg" })]);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(byId("trouble"), error.words);
  }
}

function openCamera() {
  showSection("camera");
  camera.start();
  byId("camera-stop").focus();
}

async function learnService() {
  try {
    service = await (await ask("/v1/service")).json();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(byId("trouble"), error.words);
    return;
  }
  new Settings(service.parameters, changeParameters);
  // Without FaceNet there are no names, but faces all the same.
  if (service.identification && service.recognition) questions.path = NAMES;
  if (service.enrolment && service.recognition) {
    people = new People(() => changeParameters(questions.parameters));
    byId("kept").textContent = "Pictures go to this service alone. Only faces that you enrol are kept; all else is forgotten with the answer.";
  }
  byId("version").textContent = `triton-faces ${service.version}`;
}

function wire() {
  takeFiles(add);
  byId("open-sample").addEventListener("click", addSample);
  byId("open-camera").addEventListener("click", openCamera);
  byId("camera-close").addEventListener("click", () => {
    showPictures();
    byId("open-camera").focus();
  });
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => byId(button.dataset.opens).click());
  }
  byId("forget-key").addEventListener("click", forgetKey);
  const saving = (id, save) => byId(id).addEventListener("click", (event) =>
    busyWhile(event.currentTarget, byId("save-problem"), () => save(questions.selected)));
  saving("save-crops", (picture) => saveCrops(picture, picture.answer.parameters));
  saving("save-blurred", (picture) => saveWithoutFaces(picture, byId("blur-method").value, picture.answer.parameters));
  window.addEventListener("hashchange", followHash);
}

function followHash() {
  if (location.hash === "#sample") addSample();
}

wire();
showForget();
showSection("empty");
await learnService();
document.body.dataset.ready = "";
followHash();
