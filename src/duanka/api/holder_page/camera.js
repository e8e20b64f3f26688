"use strict";
// Camera: preview, gestures, pictures; then waiting for the verdict. Uploads are in sending.js.
const LEAST_QUALITY = 0.4, PICTURES = 4200000, LEAST = 16, SHUT = 1200;
const POLL = 1000, LOOK = 15000; // milliseconds
let sound = null;

// ---- camera ------------------------------------------------------------------------------------------------------
function resumeScreen() {
  show("resume", () => [card(h1(say("goOn")), p(say("readyTips")), p(say("readySound")), button(say("openCamera"), cameraScreen, "full"), button(say("toCounter"), () => counterScreen()))], resumeScreen);
}
async function cameraScreen() {
  unlockSound();
  if (window.isSecureContext === false) return cameraProblem("insecure");
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) return cameraProblem("inapp");
  show("opening", () => [card(h1(say("opening")), p(say("readyTips")))], resumeScreen);
  const here = current;
  let stream;
  try {
    const wanted = { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } };
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false }).catch((error) => {
      if (error.name !== "OverconstrainedError") throw error;
      return navigator.mediaDevices.getUserMedia({ video: true, audio: false });
    });
  } catch (error) {
    const kinds = { NotFoundError: "missing", OverconstrainedError: "missing", NotReadableError: "taken", AbortError: "taken" };
    return cameraProblem(kinds[error.name] || "denied");
  }
  if (current !== here) return release(stream); // the holder left this screen meanwhile
  return readyScreen(stream);
}
const release = (stream) => stream.getTracks().forEach((one) => one.stop());
function cameraProblem(kind) {
  show("camera-" + kind, () => [
    card(h1(say(kind)), p(say(kind + "Text")), kind === "insecure" ? null : button(say("retry"), cameraScreen, "full")),
    card(el("h2", {}, say("wayCounter")), counterRows()),
  ], () => cameraProblem(kind));
}
function readyScreen(stream) {
  const video = el("video", { playsinline: "", muted: "", autoplay: "", "aria-label": say("preview") });
  video.muted = true;
  video.srcObject = stream;
  show("ready", () => {
    const words = el("p", { role: "status", "aria-live": "assertive" }, say("ready"));
    const sign = el("div", {}, icon("look"));
    const step = p("", "soft small"), bar = el("div", {});
    const view = el("div", { class: "view" }, video, el("div", { class: "oval" }));
    const takes = p(say("measuring"), "small");
    const tips = el("div", { class: "tips" }, takes, p(say("readyTips"), "small"), p(say("readySound"), "small"));
    const away = button(say("toCounter"), () => counterScreen());
    const start = button(say("go"), () => { [start, tips, away].forEach((one) => one.remove()); record(stream, video, { words, sign, step, bar, view }); }, "full");
    const seen = new Promise((then) => { if (video.readyState >= 2) then(); else video.addEventListener("loadeddata", then); });
    start.disabled = true;
    Promise.all([seen, measure()]).then(() => expected(video)).then((seconds) => {
      takes.textContent = "";
      fill(takes, [say(choice() === SMALLEST ? "takesSlow" : "takes", seconds)]);
      start.disabled = false;
    });
    return [card(
      el("h1", { tabindex: "-1", class: "unseen" }, say("preview")), el("div", { class: "ask" }, sign, words), view,
      el("div", { class: "bar", role: "progressbar", "aria-label": say("progress"), "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" }, bar),
      step, start, tips, away)];
  }, resumeScreen);
  leaving.push(() => release(stream));
  video.play().catch(() => {});
}
function tell(parts, name, words) {
  parts.words.textContent = "";
  parts.sign.textContent = "";
  fill(parts.words, [words]);
  parts.sign.appendChild(icon(name));
}
async function record(stream, video, parts) {
  const here = main.firstChild;
  let going = true;
  const breaks = () => { if (document.hidden) interrupted(); };
  const interrupted = () => { if (going) brokenScreen(); };
  document.addEventListener("visibilitychange", breaks);
  stream.getTracks().forEach((one) => one.addEventListener("ended", interrupted));
  leaving.push(() => { going = false; document.removeEventListener("visibilitychange", breaks); });
  for (let n = 3; n > 0; n -= 1) {
    tell(parts, "look", say("count", n));
    await pause(600);
    if (!going) return;
  }
  tell(parts, "look", say("look"));
  let asked;
  try { asked = await ask("POST", "/holder/challenge", S.session, {}); } catch (error) {
    if (going) failed(error, cameraScreen);
    return;
  }
  if (!going || main.firstChild !== here) return;
  parts.view.classList.add("on");
  const job = outgoing(asked.challengeId);
  leaving.push(() => { if (!job.recorded) endJob(job, () => {}); });
  await pictures(video, asked, parts, () => going, job);
  if (!going) return;
  tell(parts, "good", say("done"));
  cue(true);
  finish(job);
}
const pause = (wait) => new Promise((then) => setTimeout(then, wait));

// Takes pictures at equal intervals; a slow phone skips some, and continues until there are enough.
function pictures(video, asked, parts, going, job) {
  const chosen = choice(), draw = drawing(video, chosen.longest), frames = job.frames;
  const wanted = Math.min(asked.frames, chosen.frames);
  const every = wanted < asked.frames ? Math.floor(asked.seconds * 1000 / (wanted - 1)) : asked.everyMilliseconds;
  const most = PICTURES / asked.frames;
  let began = 0, due = 0, busy = false, quality = chosen.quality, now = "";
  return new Promise((then) => {
    const take = (at) => {
      busy = true;
      draw().toBlob((blob) => {
        busy = false;
        if (blob && going()) addPicture(job, at, blob);
        if (blob && blob.size > most) quality = Math.max(LEAST_QUALITY, quality - 0.15);
      }, "image/jpeg", quality);
    };
    const beat = () => {
      if (!going()) return then();
      if (!began) began = performance.now();
      const at = (performance.now() - began) / 1000;
      if (!busy && at * 1000 >= due && frames.length < 40) {
        take(at);
        due = Math.max(due + every, at * 1000 + every / 2);
      }
      now = guide(asked, at, parts, now);
      if (at >= asked.seconds && frames.length >= Math.min(LEAST, wanted) && !busy) return then();
      return setTimeout(beat, 25);
    };
    beat();
  });
}
// A canvas with the video's aspect ratio, and a function that draws a picture into it.
function drawing(video, longest) {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight, 1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(video.videoWidth * scale));
  canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
  const ink = canvas.getContext("2d", { alpha: false });
  return () => { ink.drawImage(video, 0, 0, canvas.width, canvas.height); return canvas; };
}
// Announces the present gesture once: by text, speech and vibration.
function guide(asked, at, parts, before) {
  const whole = Math.min(100, Math.round((at / asked.seconds) * 100));
  parts.bar.style.width = whole + "%";
  parts.bar.parentNode.setAttribute("aria-valuenow", whole);
  const index = asked.steps.findIndex((one) => at >= one.begins && at < one.ends);
  if (index < 0) return before;
  const step = asked.steps[index];
  const opens = step.gesture === "close_eyes" && (at - step.begins) * 1000 >= Math.min(SHUT, (step.ends - step.begins) * 650);
  const now = index + (opens ? "b" : "a");
  if (now === before) return before;
  parts.step.textContent = "";
  fill(parts.step, [say("step", index + 1, asked.steps.length)]);
  tell(parts, opens ? "look" : step.gesture, opens ? say("openEyes") : () => w(step.words));
  cue(opens);
  return now;
}
function unlockSound() {
  const Audio = window.AudioContext || window.webkitAudioContext;
  try {
    if (Audio && !sound) sound = new Audio();
    if (sound && sound.state === "suspended") sound.resume();
  } catch (error) { sound = null; }
}
function cue(twice) {
  try { if (navigator.vibrate) navigator.vibrate(twice ? [90, 70, 90] : 90); } catch (error) { /* not everywhere */ }
  if (sound) (twice ? [0, 0.18] : [0]).forEach((after) => {
    const tone = sound.createOscillator(), loud = sound.createGain(), at = sound.currentTime + after;
    tone.frequency.value = twice ? 880 : 587;
    loud.gain.setValueAtTime(0.2, at);
    loud.gain.exponentialRampToValueAtTime(0.001, at + 0.15);
    tone.connect(loud);
    loud.connect(sound.destination);
    tone.start(at);
    tone.stop(at + 0.16);
  });
}
function brokenScreen() {
  show("broken", () => [card(h1(say("broken")), p(say("brokenText")), button(say("retry"), cameraScreen, "full"), button(say("toCounter"), () => counterScreen()))], brokenScreen);
}

// ---- waiting for the verdict --------------------------------------------------------------------------------------
const look = () => ask("GET", "/holder/check", S.session);
function waitScreen(name) { show("loading", () => [card(h1(say(name)), el("div", { class: "turning" }))]); }

function verdict(found) {
  const to = { ready: resumeScreen, waiting: waitingScreen, again: againScreen, review: reviewScreen, passed: passedScreen, disowned: disownedScreen, counter: counterFor };
  (to[found.stage] || load)(found);
}
function poll(wait, shown, told) {
  const here = current;
  later(async () => {
    let found = null;
    try { found = await look(); } catch (error) {
      if (current !== here) return;
      if (error.status && error.status !== 429 && error.status < 500) { failed(error, () => load()); return; }
      told(null);
      poll(Math.max(wait, (error.wait || 0) * 1000), shown, told);
      return;
    }
    if (current !== here) return;
    if (found.stage !== shown) verdict(found);
    else { told(found); poll(wait, shown, told); }
  }, wait);
}
function waitingScreen(first) {
  let found = first, unstable = false;
  const said = () => {
    const waits = found.waiting;
    if (unstable) return t("netPoll");
    if (!waits) return t("next", 5);
    const seconds = Math.max(1, Math.ceil(waits.seconds));
    return waits.place > 0 ? t("ahead", waits.place, seconds) : t("next", seconds);
  };
  let line, before = "";
  show("waiting", () => {
    line = el("p", { class: "big", role: "status" }, said);
    return [card(h1(say("waiting")), el("div", { class: "turning" }), line, p(say("keep"), "soft"))];
  }, () => waitingScreen(found));
  poll(POLL, "waiting", (now) => {
    unstable = !now;
    found = now || found;
    if (said() !== before) { before = said(); bound.forEach((one) => one()); }
  });
}
function passedScreen(found) {
  const key = found.restored ? "passedBack" : "passedWorks";
  const still = found.restriction === "forced_stop" ? "passedPolice" : "passedStill";
  show("passed", () => [el("div", { class: "card verdict good-mark" }, icon("good", "mark"), h1(say("passed")),
    el("div", { class: found.restriction ? "box warn" : "box good" }, p(say(found.restriction ? still : key))), S.link ? p(say("usedUp"), "soft") : null)], () => passedScreen(found));
}
function reviewScreen(found) {
  show("review", () => [el("div", { class: "card verdict" }, icon("wait", "mark"), h1(say("review")), p(say("reviewText")), p(say("reviewLeave")))], () => reviewScreen(found));
  poll(LOOK, "review", () => {});
}
const counted = (code) => ["still", "photograph", "other_gestures", "face_changed", "other_person"].indexOf(code) >= 0;
function againScreen(found) {
  const free = !found.reasons.some((one) => counted(one.code));
  show("again", () => [el("div", { class: "card verdict" }, icon("note", "mark"), h1(say("again")),
    el("div", { class: "box warn" }, found.reasons.map((one) => p(() => w(one.words)))),
    S.link ? p([free ? say("notCounted") : "", () => (lang ? " " : ""), say("left", found.left)]) : p(say("leftUnlinked", found.left)),
    S.link ? null : p(say("unlinkedNumbers")),
    button(say("retry"), cameraScreen, "full"), button(say("toCounter"), () => counterScreen()))], () => againScreen(found));
}
function counterFor(found) {
  const why = found.reasons.length ? () => found.reasons.map((one) => w(one.words)).join(lang ? " " : "；") : null;
  counterScreen(why);
}
function counterScreen(why) {
  show("counter", () => [el("div", { class: "card" }, el("div", { class: "verdict" }, icon("place", "mark"), h1(say("counter"))),
    why ? el("div", { class: "box warn" }, p(why)) : null, counterRows(), p(say("counterPass")),
    (S.link && order) || !S.link ? button(say("back"), () => (S.link ? load() : unlinkedScreen())) : null)], () => counterScreen(why));
}
