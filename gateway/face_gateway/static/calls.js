// The answer as JSON, and the calls that give it, to copy. A key is never among them: a placeholder stands for it.

import { byId } from "./elements.js";

const FORMS = { json: "The answer as JSON", curl: "The call with curl", python: "The call in Python" };

/** In single quotes for a shell, where it needs them. */
export const forShell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The value of a field of curl's form: a name with one of its own signs in quotes. */
const fieldOfFile = (name) => (/[;,"\\]/.test(name) ? `@"${name.replace(/["\\]/g, "\\$&")}"` : `@${name}`);

/** What sends a picture with curl. parameters: by name. keys: whether the service asks for a key. */
export function curl({ url, name, parameters, keys }) {
  const lines = ["curl"];
  if (keys) lines.push('-H "Authorization: Bearer $FACES_KEY"');
  lines.push(`-F ${forShell(`image=${fieldOfFile(name)}`)}`);
  for (const [parameter, value] of Object.entries(parameters)) lines.push(`-F ${forShell(`${parameter}=${value}`)}`);
  lines.push(forShell(url));
  return lines.length > 3 ? lines.join(" \\\n  ").replace("curl \\\n  ", "curl ") : lines.join(" ");
}

const forPython = (value) => ({ true: "True", false: "False" })[value] ?? JSON.stringify(value);

/** The same in Python. */
export function python({ url, name, parameters, keys }) {
  const fields = Object.entries(parameters).map(([each, value]) => `${JSON.stringify(each)}: ${forPython(value)}`);
  return [
    ...(keys ? ["import os", ""] : []),
    "import requests",
    "",
    `with open(${JSON.stringify(name)}, "rb") as picture:`,
    "    answer = requests.post(",
    `        ${JSON.stringify(url)},`,
    ...(keys ? ['        headers={"Authorization": f"Bearer {os.environ[\'FACES_KEY\']}"},'] : []),
    '        files={"image": picture},',
    ...(fields.length ? [`        data={${fields.join(", ")}},`] : []),
    "        timeout=60,",
    "    )",
    "answer.raise_for_status()",
    'for face in answer.json()["images"][0]["faces"]:',
    `    print(${url.endsWith("/identify") ? 'face["person"], ' : ""}face["box"], face["probability"])`,
  ].join("\n");
}

/** JSON with short lists of numbers on a line of their own. */
export const pretty = (document) =>
  JSON.stringify(document, null, 2).replace(/\[\s+(-?[\d.eE+-]+(?:,\s+-?[\d.eE+-]+)*)\s+\]/g,
    (_, numbers) => `[${numbers.replace(/\s+/g, " ")}]`);

/** The card with the call. */
export class Calls {
  constructor() {
    this.call = null;
    for (const radio of this.radios) radio.addEventListener("change", () => this.write());
    byId("copy").addEventListener("click", () => this.copy());
  }

  get radios() {
    return document.querySelectorAll('input[name="call"]');
  }

  get form() {
    return [...this.radios].find((radio) => radio.checked).value;
  }

  /** call: url, name, parameters, keys, and `answer`, the object that came back, or null. */
  show(call) {
    this.call = call;
    this.write();
  }

  text() {
    if (this.form === "curl") return curl(this.call);
    if (this.form === "python") return python(this.call);
    return this.call.answer ? pretty(this.call.answer) : "";
  }

  write() {
    const place = byId("call-text");
    place.textContent = this.call ? this.text() : "";
    place.setAttribute("aria-label", FORMS[this.form]);
    byId("copy").disabled = !place.textContent;
    byId("copy").textContent = "Copy";
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(byId("call-text").textContent);
      byId("copy").textContent = "Copied";
    } catch {
      // Not allowed here, or no secure context: it is selected, to be copied with the keyboard.
      getSelection().selectAllChildren(byId("call-text"));
      byId("copy").textContent = "Selected";
    }
  }
}
