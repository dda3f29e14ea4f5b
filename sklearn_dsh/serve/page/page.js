// What is on the paper is a state: strokes, or a picture that was uploaded. States are never
// changed, only replaced, so that undo and redo are two lists of them.

const EMPTY = { strokes: [], picture: null };
const SEARCH_DELAY = 150; // milliseconds after a move
const KEY_STEP = 0.02; // of the paper's side; with Shift four times that
const SHRUNK_SIDE = 1024; // of pictures too large to be sent

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const context = canvas.getContext("2d");

let state = EMPTY;
let past = [];
let future = [];
let stroke = null; // the one being drawn: {width, points}, in parts of the paper's side
let maxBytes = Infinity; // what the server takes

// ---- The paper ----

function isEmpty() {
  return !stroke && !state.picture && state.strokes.length === 0;
}

function drawStroke({ width, points }) {
  const side = canvas.width;
  context.lineWidth = width * side;
  context.beginPath();
  const [first, ...rest] = points.map(([x, y]) => [x * side, y * side]);
  context.moveTo(...first);
  if (rest.length === 0) context.lineTo(...first); // a dot
  rest.forEach(([x, y], i) => {
    const next = rest[i + 1];
    if (next) context.quadraticCurveTo(x, y, (x + next[0]) / 2, (y + next[1]) / 2);
    else context.lineTo(x, y);
  });
  context.stroke();
}

function drawPicture(bitmap) {
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(
    bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height,
  );
}

function redraw() {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "#111";
  if (state.picture && !stroke) drawPicture(state.picture.bitmap); // a drawing takes its place
  state.strokes.forEach(drawStroke);
  if (stroke) drawStroke(stroke);
  byId("invitation").hidden = !isEmpty();
  byId("undo").disabled = past.length === 0;
  byId("redo").disabled = future.length === 0;
  byId("clear").disabled = isEmpty();
}

function show(next) {
  state = next;
  hideError();
  redraw();
  if (isEmpty()) showNothing();
  else search();
}

function change(next) {
  past.push(state);
  future = [];
  show(next);
}

function undo() {
  endStroke();
  if (past.length === 0) return;
  future.push(state);
  show(past.pop());
}

function redo() {
  endStroke();
  if (future.length === 0) return;
  past.push(state);
  show(future.pop());
}

function clear() {
  endStroke();
  if (!isEmpty()) change(EMPTY);
}

// ---- Drawing with a pointer ----

function beginStroke(point) {
  stroke = { width: byId("width").value / canvas.width, points: [point] };
  hideError();
  redraw();
}

function extendStroke(points) {
  stroke.points.push(...points);
  redraw();
  searchSoon();
}

function endStroke() {
  if (!byId("pen").hidden) showPen(false);
  if (!stroke) return;
  const finished = stroke;
  stroke = null;
  change({ strokes: [...state.strokes, finished], picture: null });
}

function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

let pointer = null; // a second finger draws nothing

canvas.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  endStroke(); // one of the keyboard's
  hidePen();
  pointer = event.pointerId;
  canvas.setPointerCapture(pointer);
  beginStroke(pointOf(event));
});

canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  const events = event.getCoalescedEvents?.() ?? [];
  extendStroke((events.length ? events : [event]).map(pointOf));
});

for (const type of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(type, (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    endStroke();
  });
}

// ---- Drawing with the keyboard ----

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let pen = [0.5, 0.5];

function showPen(isDown) {
  const mark = byId("pen");
  mark.style.left = `${100 * pen[0]}%`;
  mark.style.top = `${100 * pen[1]}%`;
  mark.classList.toggle("down", isDown);
  mark.hidden = false;
  setText("pen-state", isDown ? "Pen down" : "Pen up");
}

function hidePen() {
  byId("pen").hidden = true;
}

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || pointer !== null) return;
  const move = MOVES[event.key];
  if (!move && event.key !== " ") return;
  event.preventDefault(); // the page must not scroll
  if (move) {
    const step = KEY_STEP * (event.shiftKey ? 4 : 1);
    pen = pen.map((at, axis) => Math.min(1, Math.max(0, at + step * move[axis])));
    if (stroke) extendStroke([pen]);
    showPen(stroke !== null);
  } else if (stroke) {
    showPen(false);
    endStroke();
  } else {
    beginStroke(pen);
    showPen(true);
    searchSoon();
  }
});

canvas.addEventListener("focus", () => {
  if (canvas.matches(":focus-visible")) showPen(false);
});

canvas.addEventListener("blur", () => {
  if (pointer === null) endStroke();
  hidePen();
});

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (control && key === "z") (event.shiftKey ? redo : undo)();
  else if (control && key === "y") redo();
  else if (key === "delete") clear();
  else return;
  event.preventDefault();
});

byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
byId("clear").addEventListener("click", clear);

// ---- Pictures of drawings ----

async function shrink(bitmap) {
  const scale = SHRUNK_SIDE / Math.max(bitmap.width, bitmap.height);
  const small = new OffscreenCanvas(bitmap.width * scale, bitmap.height * scale);
  small.getContext("2d").drawImage(bitmap, 0, 0, small.width, small.height);
  return small.convertToBlob({ type: "image/png" });
}

// The server says what is wrong with a file, and only what it took comes onto the paper.
async function take(file) {
  endStroke();
  try {
    const bitmap = await createImageBitmap(file).catch(() => null);
    const isLarge = file.size > maxBytes;
    if (isLarge && !bitmap) {
      throw new Error(`The file is larger than ${maxBytes / 1e6} MB: choose a smaller picture.`);
    }
    const sent = isLarge ? await shrink(bitmap) : file;
    await post(sent);
    if (!bitmap) throw new Error("This browser cannot show the picture: choose a PNG or JPEG.");
    change({ strokes: [], picture: { file: sent, bitmap } });
  } catch (error) {
    showError(error.message);
  }
}

byId("upload").addEventListener("click", () => byId("file").click());

byId("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) take(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files[0]) take(event.clipboardData.files[0]);
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});

document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const file = event.dataTransfer.files[0];
  if (file) take(file);
  else showError("That is not a file: drop a picture of a drawing here.");
});

// ---- Searching: one request at a time, and then the newest drawing ----

let timer = null;
let isSearching = false;
let isOutdated = false;

function searchSoon() {
  timer ??= setTimeout(search, SEARCH_DELAY);
}

async function search() {
  clearTimeout(timer);
  timer = null;
  if (isSearching) {
    isOutdated = true;
    return;
  }
  isSearching = true;
  do {
    isOutdated = false;
    try {
      const start = performance.now();
      const answer = await post(await drawing());
      if (!isEmpty()) showResults(answer, performance.now() - start);
    } catch (error) {
      if (!isEmpty()) showError(error.message);
    }
  } while (isOutdated && !isEmpty());
  isSearching = false;
}

function drawing() {
  if (state.picture && !stroke) return state.picture.file;
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function post(file) {
  let response;
  try {
    response = await fetch("search", {
      method: "POST",
      body: file,
      headers: { "Content-Type": file.type || "application/octet-stream" },
    });
  } catch {
    throw new Error("The server does not answer. Start it again, then draw on.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

// ---- What is shown ----

const items = new Map(); // photo's address -> its list item, kept while it is shown

function photoItem({ url, label, distance }) {
  let item = items.get(url);
  if (!item) {
    item = document.createElement("li");
    item.innerHTML =
      "<figure><img><figcaption><span class='label'></span>" +
      "<span class='distance'></span></figcaption></figure>";
    const image = item.querySelector("img");
    image.src = url;
    image.alt = label === null ? "Photo" : `Photo of ${label}`;
    item.querySelector(".label").textContent = label ?? "";
  }
  const bits = `${distance} ${distance === 1 ? "bit" : "bits"}`;
  item.querySelector(".distance").textContent = bits;
  return item;
}

function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text; // else it would be read out again
}

function commonest(labels) {
  const counts = new Map();
  labels.forEach((label) => counts.set(label, (counts.get(label) ?? 0) + 1));
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best));
}

function showResults({ results, n_bits, read_ms, encode_ms, search_ms }, wait) {
  byId("empty").hidden = true;
  const list = byId("photos");
  const shown = results.map((result) => [result.url, photoItem(result)]);
  items.clear();
  shown.forEach(([url, item]) => items.set(url, item));
  list.replaceChildren(...items.values());
  const [label, count] = commonest(results.map((result) => result.label));
  const most = label === null ? "" : `, ${count} of them labelled ${label}`;
  setText("summary", `${results.length} photos${most}`);
  const times = [
    `drawing read in ${read_ms.toFixed(1)} ms`,
    `encoded in ${encode_ms.toFixed(1)} ms`,
    `searched in ${search_ms.toFixed(1)} ms`,
    `${wait.toFixed(0)} ms in all`,
  ];
  setText("timing", `${n_bits} bits: ${times.join(", ")}`);
}

function showNothing() {
  items.clear();
  byId("photos").replaceChildren();
  byId("empty").hidden = false;
  setText("summary", "");
  setText("timing", "Ready");
}

function showError(message) {
  byId("error").hidden = false;
  setText("error", message);
}

// When somebody goes on, not when a search that was under way succeeds: an error must be read.
function hideError() {
  byId("error").hidden = true;
  setText("error", "");
}

// ---- Start ----

async function get(address) {
  const response = await fetch(address);
  return response.json();
}

function addSample(address, i) {
  const button = document.createElement("button");
  button.type = "button";
  const image = document.createElement("img");
  image.src = address;
  image.alt = `Sketch ${i + 1}`;
  button.append(image);
  button.addEventListener("click", async () => {
    const response = await fetch(address);
    take(await response.blob());
  });
  byId("samples").append(button);
}

redraw();
try {
  const { n_photos, n_bits, max_bytes } = await get("health");
  maxBytes = max_bytes;
  setText("gallery-size", `${n_photos.toLocaleString("en")} photos, codes of ${n_bits} bits`);
  const samples = await get("samples");
  samples.forEach(addSample);
  byId("samples").hidden = samples.length === 0;
} catch {
  showError("The server does not answer. Start it again and reload the page.");
}
