// Draws one series over a stretch of time on a canvas: a line through the means,
// a band from the smallest to the largest value, and nothing where nothing came.

// A trace is { kind, step, spans: [{ first, last, min, max, mean, end }] }; times are in ms.

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600].map(s => s * 1000);

// parts returns the spans between holes.
export function parts(trace) {
  const all = [];
  let last;
  for (const s of trace.spans) {
    if (!last || trace.kind !== "boolean" && trace.step && s.first - last.last > 3 * trace.step) all.push([]);
    all[all.length - 1].push(s);
    last = s;
  }
  return all;
}

// range returns what the axis shows. A few values far out do not flatten the rest.
export function range(trace) {
  if (trace.kind === "boolean") return [0, 1];
  let low = Math.min(...trace.spans.map(s => s.min)), high = Math.max(...trace.spans.map(s => s.max));
  const means = trace.spans.map(s => s.mean).sort((a, b) => a - b), n = means.length;
  const from = means[Math.floor(n * .03)], to = means[Math.ceil(n * .97) - 1];
  if (n >= 20 && to > from && high - low > 8 * (to - from)) [low, high] = [from - (to - from), to + (to - from)];
  const room = (high - low) * .06 || Math.abs(high) * .02 || 1;
  return [low - room, high + room];
}

function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(s => s >= rough);
  const all = [];
  for (let i = Math.ceil(low / step); i * step <= high && all.length < 20; i++) all.push(+(i * step).toPrecision(12));
  return all;
}

// nearest returns the index of the span closest to a moment, or -1.
export function nearest(trace, at) {
  let best = -1, least = Infinity;
  trace.spans.forEach((s, i) => {
    const far = at < s.first ? s.first - at : at > s.last ? at - s.last : 0;
    if (far < least) [best, least] = [i, far];
  });
  return best;
}

// place returns how moments and pixels belong together.
export function place(canvas, from, to) {
  const left = 52, right = canvas.clientWidth - 8;
  return {
    left, right,
    x: t => left + (t - from) / (to - from) * (right - left),
    t: x => from + (x - left) / (right - left) * (to - from),
  };
}

// draw paints the trace from..to. words are { number, time, on, off }; chosen is
// the index of a span to mark, or -1.
export function draw(canvas, trace, from, to, words, chosen) {
  const width = canvas.clientWidth, height = canvas.clientHeight, scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const c = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const color = name => style.getPropertyValue(name).trim();
  c.scale(scale, scale);
  c.font = style.fontSize + " " + style.fontFamily;
  c.textBaseline = "middle";
  const { left, right, x } = place(canvas, from, to), top = 10, bottom = height - 24;
  const [low, high] = trace.spans.length ? range(trace) : [0, 1];
  const y = v => Math.max(top - 4, Math.min(bottom + 4, bottom - (v - low) / (high - low) * (bottom - top)));

  c.lineWidth = 1;
  c.strokeStyle = color("--line");
  c.fillStyle = color("--soft");
  c.textAlign = "right";
  for (const v of trace.kind === "boolean" ? [0, 1] : ticks(low, high, Math.max(2, height / 60))) {
    c.beginPath();
    c.moveTo(left, Math.round(y(v)) + .5);
    c.lineTo(right, Math.round(y(v)) + .5);
    c.stroke();
    c.fillText(trace.kind === "boolean" ? (v ? words.on : words.off) : words.number(v), left - 7, y(v), left - 9);
  }
  c.textAlign = "center";
  const step = steps.find(s => (to - from) / s <= Math.max(2, width / 110)) || steps[steps.length - 1];
  const zone = new Date(from).getTimezoneOffset() * 60000;
  for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) {
    if (x(t) > left + 12 && x(t) < right - 18) c.fillText(words.time(t), x(t), height - 9);
  }

  c.save();
  c.beginPath();
  c.rect(left, 0, right - left, height - 16);
  c.clip();
  const accent = color("--accent");
  for (const part of parts(trace)) {
    c.strokeStyle = c.fillStyle = accent;
    if (trace.kind === "boolean") {
      c.beginPath();
      part.forEach((s, i) => {
        if (i) c.lineTo(x(s.first), y(part[i - 1].end));
        c.lineTo(x(s.first), y(s.end));
        if (s.min !== s.max) { c.lineTo(x(s.first), y(1 - s.end)); c.lineTo(x(s.first), y(s.end)); }
        c.lineTo(x(s.last), y(s.end));
      });
      c.lineTo(Math.min(right, x(Date.now())), y(part[part.length - 1].end));
      c.lineWidth = 2;
      c.stroke();
      continue;
    }
    if (part.some(s => s.min < s.max)) {
      c.globalAlpha = .22;
      c.beginPath();
      for (const s of part) { c.lineTo(x(s.first), y(s.max)); c.lineTo(x(s.last), y(s.max)); }
      for (const s of [...part].reverse()) { c.lineTo(x(s.last), y(s.min)); c.lineTo(x(s.first), y(s.min)); }
      c.fill();
      c.globalAlpha = 1;
    }
    c.lineWidth = 2;
    c.lineJoin = "round";
    c.beginPath();
    for (const s of part) c.lineTo(x((s.first + s.last) / 2), y(s.mean));
    c.stroke();
    if (part.length === 1 || trace.spans.length < 40) {
      for (const s of part) { c.beginPath(); c.arc(x((s.first + s.last) / 2), y(s.mean), 3, 0, 7); c.fill(); }
    }
  }
  const s = trace.spans[chosen];
  if (s) {
    const at = (s.first + s.last) / 2, value = trace.kind === "boolean" ? s.end : s.mean;
    c.strokeStyle = c.fillStyle = color("--ink");
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(x(at), top);
    c.lineTo(x(at), bottom);
    c.stroke();
    c.beginPath();
    c.arc(x(at), y(value), 4.5, 0, 7);
    c.fill();
  }
  c.restore();
}
