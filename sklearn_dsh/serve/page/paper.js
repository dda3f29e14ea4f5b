// What is on the paper is a state: strokes, or a picture that was uploaded. States are never
// changed, only replaced, so that undo and redo are two lists of them.

import { byId, setText } from "./texts.js";

const EMPTY = { strokes: [], picture: null };
const KEY_STEP = 0.02; // of the paper's side; with Shift four times that

const canvas = byId("canvas");
const context = canvas.getContext("2d");

let state = EMPTY;
let past = [];
let future = [];
let stroke = null; // the one being drawn: {width, points}, in parts of the paper's side

// Who draws is told to: begun() with a stroke, moved() while it grows, changed() with each state.
let listener = { begun() {}, moved() {}, changed() {} };

export function listen(to) {
  listener = to;
}

export function isEmpty() {
  return !stroke && !state.picture && state.strokes.length === 0;
}

// The picture to search for, as a file.
export function drawing() {
  if (state.picture && !stroke) return state.picture.file;
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// A picture of a drawing in place of what is on the paper.
export function putPicture(file, bitmap) {
  change({ strokes: [], picture: { file, bitmap } });
}

// ---- The paper ----

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

export function redraw() {
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
  redraw();
  listener.changed();
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
  redraw();
  listener.begun();
}

function extendStroke(points) {
  stroke.points.push(...points);
  redraw();
  listener.moved();
}

export function endStroke() {
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
    listener.moved();
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
  if (document.querySelector("dialog[open]")) return; // the paper is behind it
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
