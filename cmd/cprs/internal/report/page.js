"use strict";
const byId = (id) => document.getElementById(id);
const { score, tokens, line, first, category } = JSON.parse(byId("units").textContent);
const units = document.querySelectorAll("main .u");
const counts = document.querySelectorAll(".count");
const n = units.length;
const slider = byId("threshold");

const index = new Map(); // element → number of the unit
const compressed = new Uint8Array(n); // what the compression kept
const before = new Float64Array(n + 1); // tokens before each unit
units.forEach((u, i) => {
  index.set(u, i);
  compressed[i] = u.classList.contains("k") ? 1 : 0;
  before[i + 1] = before[i] + tokens[i];
});
const kept = compressed.slice(); // what is shown as kept
const total = before[n];

// show marks the units that want says yes to and tells their share.
function show(want, label) {
  let sum = 0, parts = 0;
  for (let d = 0; d < first.length; d++) {
    const end = d + 1 < first.length ? first[d + 1] : n;
    let doc = 0;
    for (let i = first[d]; i < end; i++) {
      const k = want(i) ? 1 : 0;
      if (k !== kept[i]) {
        kept[i] = k;
        units[i].classList.toggle("k", k === 1);
      }
      if (k) { doc += tokens[i]; parts++; }
    }
    counts[d].textContent = `${doc.toLocaleString("en")} of ${(before[end] - before[first[d]]).toLocaleString("en")} tokens`;
    sum += doc;
  }
  const share = document.createElement("b");
  share.textContent = `${(total ? 100 * sum / total : 0).toFixed(1)} %`;
  byId("share").replaceChildren(`${label}: `, share,
    ` kept, ${sum.toLocaleString("en")} of ${total.toLocaleString("en")} tokens, ${parts.toLocaleString("en")} of ${n.toLocaleString("en")} units`);
  draw();
}

function showCompressed() {
  byId("reset").hidden = true;
  show((i) => compressed[i], "As compressed");
}

function showThreshold() {
  const least = Math.round(slider.value * 1000);
  byId("reset").hidden = false;
  show((i) => score[i] >= least, `Score ≥ ${Number(slider.value).toFixed(2)}`);
}

// draw paints the histogram of the scores, weighed by tokens, and the ruler.
function draw() {
  const colour = (name) => { // as the theme resolves it
    byId("tip").style.color = `var(${name})`;
    const c = getComputedStyle(byId("tip")).color;
    byId("tip").style.color = "";
    return c;
  };
  drawHistogram(colour("--keep"), colour("--heat"));
  drawRuler(colour("--keep"), colour("--heat"));
}

function canvas(id) {
  const c = byId(id), scale = window.devicePixelRatio || 1;
  c.width = c.clientWidth * scale;
  c.height = c.clientHeight * scale;
  const g = c.getContext("2d");
  g.scale(scale, scale);
  return [g, c.clientWidth, c.clientHeight];
}

function drawHistogram(keep, heat) {
  const bins = 50, all = new Float64Array(bins), inside = new Float64Array(bins);
  for (let i = 0; i < n; i++) {
    const b = Math.min(bins - 1, Math.floor(score[i] * bins / 1000));
    all[b] += tokens[i];
    if (kept[i]) inside[b] += tokens[i];
  }
  const [g, w, h] = canvas("histogram");
  const most = Math.log1p(Math.max(1, ...all)); // of most texts nearly all scores are close to 0
  const bar = (b, value) => {
    const y = value ? Math.max(1, h * Math.log1p(value) / most) : 0;
    g.fillRect(b * w / bins + .5, h - y, w / bins - 1, y);
  };
  for (let b = 0; b < bins; b++) {
    g.globalAlpha = .45;
    g.fillStyle = heat;
    bar(b, all[b]);
    g.globalAlpha = 1;
    g.fillStyle = keep;
    bar(b, inside[b]);
  }
}

function drawRuler(keep, heat) {
  const [g, w, h] = canvas("ruler");
  const best = new Float64Array(h), has = new Uint8Array(h);
  for (let i = 0; i < n; i++) {
    const from = Math.floor(before[i] / total * h), to = Math.min(h - 1, Math.floor(before[i + 1] / total * h));
    for (let y = from; y <= to; y++) {
      best[y] = Math.max(best[y], score[i]);
      if (kept[i]) has[y] = 1;
    }
  }
  for (let y = 0; y < h; y++) {
    g.globalAlpha = best[y] / 1000;
    g.fillStyle = heat;
    g.fillRect(0, y, w, 1);
    if (has[y]) {
      g.globalAlpha = 1;
      g.fillStyle = keep;
      g.fillRect(w / 2, y, w / 2, 1);
    }
  }
}

let here = -1; // unit that was jumped to
function goTo(i) {
  if (here >= 0) units[here].classList.remove("here");
  here = i;
  units[i].classList.add("here");
  units[i].scrollIntoView({ block: "center" });
}

// jump goes to the nearest start of a kept part in the direction of step.
function jump(step) {
  for (let i = here + step, tried = 0; tried <= n; i += step, tried++) {
    i = (i + n) % n;
    if (kept[i] && (i === 0 || !kept[i - 1])) return goTo(i);
  }
}

// Every event sets at most one paint in motion.
let waiting = false;
slider.addEventListener("input", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; showThreshold(); });
});
slider.addEventListener("change", () => history.replaceState(null, "", `#t=${slider.value}`));
byId("reset").addEventListener("click", showCompressed);
byId("heat").addEventListener("change", (e) => document.body.classList.toggle("heat", e.target.checked));
byId("only").addEventListener("change", (e) => document.body.classList.toggle("only", e.target.checked));
byId("next").addEventListener("click", () => jump(1));
byId("previous").addEventListener("click", () => jump(-1));
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "n") jump(1);
  if (e.key === "p") jump(-1);
});
byId("theme").addEventListener("click", () => {
  const root = document.documentElement.style;
  const dark = root.colorScheme ? root.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.colorScheme = dark ? "light" : "dark";
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", draw);
byId("ruler").addEventListener("click", (e) => {
  const at = e.offsetY / e.target.clientHeight * total;
  let i = 0;
  while (i + 1 < n && before[i + 1] <= at) i++;
  if (n) goTo(i);
});
document.querySelector("main").addEventListener("mousemove", (e) => {
  const i = index.get(e.target), tip = byId("tip");
  tip.hidden = i === undefined;
  if (tip.hidden) return;
  tip.textContent = `${category?.[i] ? category[i] + " · " : ""}score ${(score[i] / 1000).toFixed(3)} · ${tokens[i]} tokens · line ${line[i]}`;
  tip.style.left = `${Math.min(e.clientX + 12, innerWidth - 260)}px`;
  tip.style.top = `${e.clientY + 18}px`;
});

// The address can name a threshold: #t=0.7
function fromHash() {
  const t = new URLSearchParams(location.hash.slice(1)).get("t");
  if (t === null || !(t >= 0 && t <= 1)) return showCompressed();
  slider.value = t;
  showThreshold();
}
addEventListener("hashchange", fromHash);
fromHash();
