"use strict";
// Uploads: measures the line, chooses the picture size by it, and sends each picture as soon as it is taken.
const PROBES = [1024, 1024, 12288], PATIENCE = 7000; // bytes; milliseconds for all of them
const USUAL = { frames: 40, longest: 640, quality: 0.8 }; // most frames: the challenge says how many
const SMALLEST = { frames: 16, longest: 384, quality: 0.75 }; // as benchmarks/faces.py measures it
const SLOW = 60000; // bytes a second, below which the usual pictures would take longer than people wait
const AT_ONCE = 2, TRIES = 4, AGAIN = 1000, STALL = 60000, ROUNDS = 5; // requests; in a row; milliseconds
const RECORDING = 10, OFTEN = 30; // to say how long it takes before that is known: seconds with the countdown, pictures
let line = 0; // bytes a second; 0: not measured

const choice = () => (line < SLOW ? SMALLEST : USUAL);
// A request with upload progress; returns and throws the same as `ask`.
function post(path, body, type, moved, running) {
  return new Promise((then, not) => {
    const request = new XMLHttpRequest();
    let seen = Date.now();
    const watch = setInterval(() => { if (Date.now() - seen > STALL) request.abort(); }, 1000);
    const gone = () => { clearInterval(watch); not({ status: 0 }); };
    if (running) running.push(() => request.abort());
    request.open("POST", API + path);
    request.setRequestHeader("Authorization", "Bearer " + S.session);
    request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => { seen = Date.now(); if (moved) moved(event.loaded); };
    request.onerror = gone;
    request.onabort = gone;
    request.onload = () => {
      clearInterval(watch);
      let told = {};
      try { told = JSON.parse(request.responseText); } catch (error) { /* told by its status */ }
      if (request.status >= 200 && request.status < 300) return then(told);
      return not({ status: request.status, told, wait: Number(request.getResponseHeader("Retry-After")) || 0 });
    };
    request.send(body);
  });
}
const postBytes = (path, body, moved, running) => post(path, body, "application/octet-stream", moved, running);

// The first probe opens the connection, the second measures the latency, the third the throughput.
async function measure() {
  const running = [], took = [];
  const probes = (async () => {
    for (const size of PROBES) {
      const began = performance.now();
      await postBytes("/holder/line", new Uint8Array(size), null, running);
      took.push(performance.now() - began);
    }
    return PROBES[2] * 1000 / Math.max(1, took[2] - took[1]);
  })();
  const late = pause(PATIENCE).then(() => PROBES[2] * 1000 / PATIENCE);
  line = await Promise.race([probes, late]).catch(() => 0); // unknown: use the smallest
  running.forEach((end) => end());
}

// Estimated seconds from the start until everything is sent, by the size of one picture.
function expected(video) {
  const chosen = choice();
  return new Promise((then) => drawing(video, chosen.longest)().toBlob((blob) => {
    const size = (blob ? blob.size : 0) * Math.min(OFTEN, chosen.frames);
    then(Math.ceil(Math.max(RECORDING, size / Math.max(line, 1000)) + 2));
  }, "image/jpeg", chosen.quality));
}

// ---- upload of one recording -------------------------------------------------------------------------------------
function outgoing(number) {
  return { number, frames: [], queue: [], running: [], flying: 0, failures: 0, rounds: 0, sent: 0, moving: {}, began: performance.now(), receipt: "", dead: false, recorded: false, told: null };
}
function addPicture(job, at, blob) {
  const frame = { order: job.frames.length, at: Math.round(at * 1000) / 1000, blob, sha256: null };
  job.frames.push(frame);
  frame.sha256 = digest(blob);
  job.queue.push(frame);
  pump(job);
}
async function digest(blob) {
  const found = await crypto.subtle.digest("SHA-256", await content(blob));
  return Array.from(new Uint8Array(found)).map((one) => one.toString(16).padStart(2, "0")).join("");
}
const content = (blob) => new Promise((then, not) => {
  const reader = new FileReader();
  reader.onload = () => then(reader.result);
  reader.onerror = not;
  reader.readAsArrayBuffer(blob);
});
function pump(job) {
  while (!job.dead && job.queue.length && job.flying < AT_ONCE) sendPicture(job, job.queue.shift());
}
async function sendPicture(job, frame) {
  job.flying += 1;
  const moved = (loaded) => { job.moving[frame.order] = loaded; changed(job); };
  try {
    await postBytes("/holder/check/pictures?challengeId=" + job.number, frame.blob, moved, job.running);
    job.sent += frame.blob.size;
    job.failures = 0;
  } catch (error) {
    job.queue.unshift(frame);
    await holdBack(job, error);
  }
  delete job.moving[frame.order];
  job.flying -= 1;
  changed(job);
  pump(job);
  if (job.recorded && job.receipt && !job.flying && !job.queue.length) deliver(job);
}
// Retries what can be retried after a wait; other errors end the upload. The pictures stay on this phone.
async function holdBack(job, error) {
  if (job.dead) return;
  const lost = !error.status || error.status === 408, away = error.status >= 500, waits = error.status === 429 || (away && error.wait);
  if (!lost && !away && !waits) return endJob(job, () => failed(error, cameraScreen));
  if (!waits) job.failures += 1;
  if (job.recorded && job.failures > TRIES) return endJob(job, () => failed(error, () => goOn(job), true));
  changed(job);
  await pause((error.wait || 0) * 1000 || AGAIN * Math.min(job.failures, TRIES));
}
function endJob(job, next) {
  if (job.dead) return;
  job.dead = true;
  job.running.forEach((end) => end());
  next();
}
function changed(job) { if (job.told) job.told(); }
const total = (job) => job.frames.reduce((sum, frame) => sum + frame.blob.size, 0);
const arrived = (job) => job.sent + Object.keys(job.moving).reduce((sum, order) => sum + job.moving[order], 0);
// Estimated seconds for the rest, by the speed so far.
function remaining(job) {
  const speed = arrived(job) / Math.max(1, (performance.now() - job.began) / 1000);
  return Math.max(1, Math.ceil((total(job) - arrived(job)) / Math.max(speed, line && Math.min(line, SLOW), 1000)) + 1);
}

function sendingScreen(job) {
  let bar, box;
  show("sending", () => {
    bar = el("div", {});
    box = el("div", { class: "bar", role: "progressbar", "aria-label": say("sending"), "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" }, bar);
    const part = () => Math.min(99, Math.floor(arrived(job) / Math.max(1, total(job)) * 100));
    job.told = () => {
      bar.style.width = part() + "%";
      box.setAttribute("aria-valuenow", part());
      bound.forEach((one) => one());
    };
    return [card(h1(say("sending")), box, p(() => t("sent", part(), Math.ceil(total(job) / 1024)), "soft"),
      p(() => (job.failures ? t("netPoll") : t("sendLeft", remaining(job))), "big"), p(say("sendKeep")))];
  });
  const ticking = setInterval(() => changed(job), 1000);
  leaving.push(() => { clearInterval(ticking); job.told = null; endJob(job, () => {}); });
}
// The recording is over: sends the digests of its pictures at once; the pictures may take as long as the line needs.
async function finish(job) {
  job.recorded = true;
  sendingScreen(job);
  const frames = [];
  for (const frame of job.frames) frames.push({ order: frame.order, at: frame.at, sha256: await frame.sha256 });
  job.list = frames;
  await deliver(job);
}
async function deliver(job) {
  if (job.dead || job.asking) return;
  job.asking = true;
  const first = !job.receipt;
  try {
    const found = await post("/holder/check/recording", JSON.stringify({ challengeId: job.number, frames: job.list, receipt: job.receipt }), "application/json", null, job.running);
    job.asking = false;
    job.failures = 0;
    if (job.dead) return;
    if (!found.missing.length) return endJob(job, () => verdict(found));
    job.receipt = found.receipt;
    // asked before the last ones arrived, or the server was restarted meanwhile: send them again
    if (first && (job.flying || job.queue.length)) return;
    if (first) return deliver(job);
    job.rounds += 1;
    if (job.rounds > ROUNDS) return endJob(job, () => simple("trouble", cameraScreen, [p(say("troubleText"))]));
    job.queue = job.frames.filter((frame) => found.missing.indexOf(frame.order) >= 0);
    job.sent = total(job) - job.queue.reduce((sum, frame) => sum + frame.blob.size, 0);
    pump(job);
  } catch (error) {
    job.asking = false;
    await holdBack(job, error);
    deliver(job);
  }
}
// Resumes when the network is back; what arrived is not sent again.
function goOn(job) {
  const again = Object.assign(outgoing(job.number), { frames: job.frames, queue: job.queue, sent: job.sent, receipt: job.receipt, list: job.list, recorded: true });
  sendingScreen(again);
  deliver(again);
  pump(again);
}
