"use strict";
// The holder's page: plain scripts for old phones (ES2017), without external resources.
const own = document.body.dataset;
const main = document.getElementById("main"), footer = document.getElementById("footer");
const API = location.pathname.replace(/\/v\/?$/, "") + "/card-restrictions/v1";
const KEPT = "duanka";
const ANSWER = 30000; // milliseconds

let S = { link: "", session: "", lang: "" };
let order = null, skew = 0, lang = 0;
let bound = [], leaving = [], current = null;

// ---- words -------------------------------------------------------------------------------------------------------
function t(key) {
  const given = Array.prototype.slice.call(arguments, 1);
  return W[key][lang].replace(/\{(\d)\}/g, (_, n) => given[n]);
}
const w = (words) => (words ? (lang ? words.en : words.zh) : "");
const mine = (name) => own[name + (lang ? "En" : "Zh")];

function el(tag, attributes) {
  const made = document.createElement(tag);
  Object.keys(attributes || {}).forEach((name) => {
    const value = attributes[name];
    if (name === "onclick") made.addEventListener("click", value);
    else if (typeof value === "function") bind(() => made.setAttribute(name, value()));
    else if (value !== null) made.setAttribute(name, value);
  });
  fill(made, Array.prototype.slice.call(arguments, 2));
  return made;
}
function fill(into, kids) {
  kids.forEach((kid) => {
    if (Array.isArray(kid)) fill(into, kid);
    else if (typeof kid === "function") {
      const text = document.createTextNode("");
      bind(() => { text.data = kid(); });
      into.appendChild(text);
    } else if (typeof kid === "string") into.appendChild(document.createTextNode(kid));
    else if (kid) into.appendChild(kid);
  });
}
function bind(say) { bound.push(say); say(); }
const say = (key, a, b) => () => t(key, a, b);
const p = (words, style) => el("p", style ? { class: style } : {}, words);
const h1 = (words) => el("h1", { tabindex: "-1" }, words);
const button = (words, act, style) => el("button", { type: "button", class: style || null, onclick: act }, words);
const call = () => el("a", { class: "call", href: "tel:" + own.hotline }, own.hotline);
const card = function () { return el("div", { class: "card" }, Array.prototype.slice.call(arguments)); };
function icon(name, style) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", style || "");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  use.setAttribute("href", "#i-" + name);
  svg.appendChild(use);
  return svg;
}
function translate() {
  document.documentElement.lang = lang ? "en" : "zh-CN";
  document.title = t("title") + " · " + mine("operator");
  document.getElementById("operator").textContent = mine("operator");
  document.getElementById("what").textContent = t("title");
  const other = document.getElementById("language");
  other.textContent = t("language");
  other.lang = lang ? "zh-CN" : "en";
  bound.forEach((one) => one());
}

// ---- screens -----------------------------------------------------------------------------------------------------
function show(name, build, again) {
  leaving.forEach((one) => one());
  leaving = [];
  bound = [];
  current = again || null;
  main.textContent = "";
  footer.textContent = "";
  fill(main, build());
  fill(footer, foot(name));
  main.setAttribute("data-screen", name);
  window.scrollTo(0, 0);
  const first = main.querySelector("h1");
  if (first && name !== "loading") first.focus();
}
function foot(name) {
  const away = ["ended", "elsewhere", "linkSent", "unlinked", "disowned"].indexOf(name) >= 0;
  const objects = order && S.link && !order.objectionOpen && !away && name !== "objection" && name !== "passed";
  return [
    card(
      p([say("doubt"), order ? say("doubtNumber", order.orderId, order.shortCode) : say("doubtPlain")], "small"),
      p([say("hotline"), call()]),
      away || !S.link ? p(say("objectElsewhere"), "small") : null,
      order && name !== "objected" ? objectionState() : null,
      objects ? button(say("object"), () => objectionScreen(current)) : null,
    ),
  ];
}
// Shows the objection and its state; the button is hidden while one is open.
function objectionState() {
  if (!order.objection) return null;
  return p([say("objectNow", order.objectionId), say(order.objection), () => (lang ? "." : "。")], "small");
}
const later = (act, wait) => { const timer = setTimeout(act, wait); leaving.push(() => clearTimeout(timer)); };

function untilText() {
  const words = { from_notice: ["fromNotice", order.answerWithinHours], stopped: ["noClock"], over: ["over"] }[order.deadline.clock];
  if (words) return t(words[0], words[1]);
  const due = new Date(order.deadline.at), minutes = Math.floor((due - (Date.now() + skew)) / 60000);
  const local = lang ? "en-GB" : "zh-CN", offset = -due.getTimezoneOffset(), ahead = Math.abs(offset);
  const zone = "GMT" + (offset < 0 ? "-" : "+") + Math.floor(ahead / 60) + (ahead % 60 ? ":" + String(ahead % 60).padStart(2, "0") : "");
  const written = due.toLocaleDateString(local, { year: "numeric", month: "long", day: "numeric" }) + " " +
    due.toLocaleTimeString(local, { hour: "2-digit", minute: "2-digit", hour12: false });
  let left = t("over");
  if (minutes >= 2880) left = t("leftDays", Math.floor(minutes / 1440));
  else if (minutes >= 120) left = t("leftHours", Math.floor(minutes / 60));
  else if (minutes >= 0) left = t("leftMinutes", minutes);
  return written + t("zone", zone) + (lang ? ", " : "，") + left;
}
function row(name, words, strong) { return [el("dt", {}, say(name)), el("dd", {}, strong ? el("strong", {}, words) : words)]; }
function counterRows() {
  const where = order ? () => w(order.counter) : () => mine("counter");
  const papers = order ? () => w(order.grounds.papers) : () => mine("papers");
  return el("dl", {}, row("counterWhere", where, true), row("counterPapers", papers, true), order ? row("until", untilText) : []);
}
function notice(words, style) { return el("div", { class: "box " + style, role: "alert" }, p(words)); }

function startScreen(note) {
  show("start", () => {
    const online = order.online;
    const way = (name, title, kids) => el("li", {}, icon(name), el("div", {}, el("strong", {}, say(title)), kids));
    return [
      note ? notice(note, "warn") : null,
      el("div", { class: "box good" }, p([() => w(order.neverAsked), () => (lang ? "." : "。")], "trust")),
      card(
        h1(say("asked", order.phoneNumberEnding)),
        order.restricted ? el("div", { class: "box bad" }, p(() => w(order.restricted))) : null,
        el("dl", {},
          row("why", () => w(order.grounds.reason), true), row("until", untilText, true),
          row("otherwise", () => w(order.otherwise)), row("order", () => order.orderId)),
        stopText(),
      ),
      card(
        el("h2", {}, say("ways")),
        el("ul", { class: "ways" },
          way("camera", "wayOnline", online.open ? p(say("wayOnlineText")) : p([say("closed"), () => (lang ? ": " : "："), () => w(online.why)])),
          way("place", "wayCounter", [p(() => w(order.counter)), p([say("bring"), () => w(order.grounds.papers)])])),
      ),
      online.open ? consentCard() : null,
      notMineCard(),
    ];
  }, () => startScreen());
}
// The stored text of the stop, the same that desk, counter and court have; its SHA-256 proves it.
function stopText() {
  if (!order.stopText) return null;
  return el("details", { class: "stop-text" }, el("summary", {}, say("stopText")), el("pre", { lang: "zh-CN" }, () => order.stopText.text), p(["SHA-256 ", () => order.stopText.sha256], "small soft"));
}
function consentCard(notMine) {
  const tick = agreement(order.online, notMine && order.notMine.statement);
  return card(
    el("h2", {}, say(notMine ? "notMineHere" : "consent")),
    notMine ? p(say("notMineFaceText")) : null,
    tick.all,
    button(say(notMine ? "notMineStart" : "start"), () => (tick.given() ? begin(true, !notMine, notMine) : null), "full"),
    notMine ? null : button(say("refuse"), () => begin(false, tick.law.checked), "other"),
  );
}
// Two ticks, neither set; `given` says whether both are, and else where one is missing.
function agreement(told, statement) {
  const face = el("input", { type: "checkbox", id: "face", "aria-describedby": "face-text" });
  const law = el("input", { type: "checkbox", id: "law", "aria-describedby": "law-text" });
  const problem = el("div", { role: "alert" });
  const tick = (input, title, words) =>
    el("label", { class: "tick", for: input.id }, input,
      el("span", {}, el("strong", {}, say(title)), el("span", { class: "small", id: input.id + "-text" }, words)));
  const both = () => { problem.textContent = ""; };
  face.addEventListener("change", both);
  law.addEventListener("change", both);
  const given = () => {
    if (face.checked && law.checked) return true;
    fill(problem, [el("div", { class: "box warn" }, p(say("tickBoth")))]);
    (face.checked ? law : face).focus();
    return false;
  };
  return { law, given, all: [
    tick(face, "consentFace", () => w(told.faceConsent)),
    statement ? tick(law, "notMineDeclare", () => w(statement)) : tick(law, "consentLaw", () => w(told.legalNotice)),
    p(() => t("judge", told.supplier === "embedded" ? mine("operator") : told.supplier), "small soft"),
    problem,
  ] };
}
async function begin(face, law, notMine) {
  unlockSound();
  const body = { faceDataAgreed: face, legalNoticeRead: law, wordsDigest: (notMine ? order.notMine : order.online).wordsDigest, notMine: !!notMine };
  waitScreen("loading");
  try {
    const found = await ask("POST", "/holder/session", S.link, body);
    if (found.route === "counter") { order.deadline = found.deadline; return counterScreen(() => w(found.words)); }
    S.session = found.sessionToken;
    keep();
    return found.stage === "ready" || found.stage === "again" ? cameraScreen() : verdict(await look());
  } catch (error) {
    if (error.status === 409 && !error.told.reason) return load(say("changed"));
    return failed(error, () => load());
  }
}

// ---- what can go wrong -------------------------------------------------------------------------------------------
function failed(error, retry, kept) {
  const told = error.told || {}, words = told.words ? () => w(told.words) : null;
  if (!error.status || error.status === 408) return netScreen(retry, kept);
  if (error.status === 401) return restart();
  if (error.status === 429 || error.status === 503) return busyScreen(words, error.wait, retry);
  if (["no_reference", "not_available", "used_up"].indexOf(told.reason) >= 0) return counterScreen(words);
  if (told.reason === "busy") return busyScreen(words, 10, retry);
  if (told.reason === "replayed") return look().then(verdict, (other) => failed(other, retry));
  if (told.reason === "other_session") return restart();
  if (told.reason === "other_browser") return elsewhereScreen();
  if (words) return look().then((found) => (found.stage === "again" ? againScreen({ stage: "again", reasons: [{ code: told.reason, words: told.words }], left: found.left }) : verdict(found)), (other) => failed(other, retry));
  return simple("trouble", retry, [p(say("troubleText"))]);
}
function restart() {
  const had = S.session;
  S.session = "";
  keep();
  return had ? load(say("newSession")) : endedScreen();
}
function simple(name, retry, kids) {
  show(name, () => [el("div", { class: "card verdict" }, icon("note", "mark"), h1(say(name)), kids, retry ? button(say("retry"), retry, "full") : null)], () => simple(name, retry, kids));
}
function netScreen(retry, kept) {
  simple("net", retry, [p(say(kept ? "netText" : "netPlain"))]);
  window.addEventListener("online", retry); // retries without a button press
  leaving.push(() => window.removeEventListener("online", retry));
}
function endedScreen() { order = null; simple("ended", null, [p(say("endedText")), newLinkButton(), button(say("unlinkedOpen"), () => { S = Object.assign(S, { link: "", session: "" }); keep(); begun(); }), counterRows()]); }
function elsewhereScreen() { order = null; simple("elsewhere", null, [p(say("elsewhereText")), newLinkButton(), counterRows()]); }
function newLinkButton() { return S.link ? button(say("newLink"), requestLink, "full") : null; }
// The new link goes to the number itself, whoever asks for it.
async function requestLink() {
  waitScreen("submitting");
  try {
    const sent = await ask("POST", "/holder/link", S.link, {});
    return simple("linkSent", null, [p(say("linkSentText", sent.phoneNumberEnding))]);
  } catch (error) {
    if (error.status === 401) { S.link = ""; return endedScreen(); }
    return failed(error, requestLink);
  }
}
function busyScreen(words, wait, retry) {
  let left = Math.max(1, Math.ceil(wait || 5)), line;
  show("busy", () => {
    line = p(() => t("busyIn", left));
    return [el("div", { class: "card verdict" }, icon("wait", "mark"), h1(say("busy")), words ? p(words) : null, line, button(say("retry"), retry, "full"), button(say("toCounter"), () => counterScreen()))];
  }, () => busyScreen(words, left, retry));
  const again = main.querySelector("button");
  again.disabled = true;
  const tick = () => { left -= 1; if (left > 0) later(tick, 1000); else { again.disabled = false; line.remove(); } bound.forEach((one) => one()); };
  later(tick, 1000);
}

// ---- this number is not mine -------------------------------------------------------------------------------------
// Saying so stops nothing: whoever has the phone can say it. The registrant confirms it by face, or at a counter.
function notMineCard() {
  if (order.link === "elsewhere") return null;
  return card(
    el("h2", {}, say("notMine")),
    order.notMine.said ? p([say("notMineSaid"), order.notMine.orderId, () => (lang ? "." : "。")], "small") : null,
    p(say("notMineText"), "small"),
    button(say("notMineOpen"), () => notMineScreen(), "other"),
  );
}
function notMineScreen() {
  show("notMine", () => {
    const said = order.notMine.said;
    return [
      card(h1(say("notMine")), p(say("notMineWho")), p(say("notMineThen", order.notMine.days)), p(say("notMineNoBlame"))),
      order.online.open ? consentCard(true) : null,
      card(
        el("h2", {}, say("notMineCounter")),
        p(say("notMineCounterText")),
        el("dl", {}, row("counterWhere", () => w(order.counter), true), row("counterPapers", say("notMinePapers"), true),
          said ? row("order", () => order.notMine.orderId) : []),
        said
          ? button(say("notMineBack"), () => sayNotMine("/holder/not-mine/withdraw", startScreen), "other")
          : button(say("notMineSay"), () => sayNotMine("/holder/not-mine", notMineScreen), "full"),
      ),
      button(say("back"), () => startScreen()),
    ];
  }, () => notMineScreen());
}
async function sayNotMine(path, next) {
  waitScreen("submitting");
  try { took(await ask("POST", path, S.link, {})); } catch (error) {
    return error.status === 401 ? endedScreen() : failed(error, () => load());
  }
  return next();
}
function disownedScreen(found) {
  show("disowned", () => [el("div", { class: "card verdict good-mark" }, icon("good", "mark"), h1(say("disowned")),
    p(say("disownedText")), p(say("disownedBack")), p(say("usedUp"), "soft"))], () => disownedScreen(found));
}

// ---- objection ---------------------------------------------------------------------------------------------------
function objectionScreen(back) {
  const field = el("textarea", { id: "text", maxlength: "500", rows: "6" });
  show("objection", () => {
    const problem = el("div", { role: "alert" });
    return [card(h1(say("object")), p(say("objectText", order.objectionDays)), el("label", { class: "field", for: "text" }, say("objectField")), field, problem,
      button(say("objectSend"), () => {
        problem.textContent = "";
        if (field.value.trim()) return object(field.value.trim(), back);
        fill(problem, [el("div", { class: "box warn" }, p(say("objectEmpty")))]);
        return field.focus();
      }, "full"),
      button(say("back"), () => (back || resume)()))];
  }, () => objectionScreen(back));
}
async function object(text, back) {
  waitScreen("submitting");
  try { took(await ask("POST", "/holder/objection", S.link, { text: text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, " ") })); } catch (error) {
    return error.status === 401 ? endedScreen() : failed(error, () => object(text, back));
  }
  return show("objected", () => [el("div", { class: "card verdict good-mark" }, icon("good", "mark"), h1(say("objected")),
    el("dl", {}, row("objectNumber", () => order.objectionId, true), row("objectStage", () => t(order.objection))),
    p(say("objectedText", order.objectionDays)), p(say("objectedWhere")), button(say("back"), () => (back || resume)(), "full"))], back);
}

// ---- asking ------------------------------------------------------------------------------------------------------
async function ask(method, path, token, body, again) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  if (body) headers["Content-Type"] = "application/json";
  const asks = { method, headers, cache: "no-store", credentials: "same-origin", body: body ? JSON.stringify(body) : undefined };
  const late = new Promise((_, not) => { setTimeout(() => not(new Error("late")), ANSWER); });
  let answer, told = {};
  try { answer = await Promise.race([fetch(API + path, asks), late]); } catch (error) { throw { status: 0 }; }
  try { told = await answer.json(); } catch (error) { /* told by its status */ }
  if (answer.ok) return told;
  if (answer.status === 408 && !again) return ask(method, path, token, body, true); // an idle connection had been closed
  throw { status: answer.status, told, wait: Number(answer.headers.get("Retry-After")) || 0 };
}
function took(found) { order = found; skew = new Date(found.now) - Date.now(); }
async function load(note) {
  waitScreen("loading");
  if (!S.link) return unlinkedScreen(typeof note === "function" ? note : null);
  try { took(await ask("GET", "/holder/order", S.link)); } catch (error) {
    return error.status === 401 ? endedScreen() : failed(error, () => load(note));
  }
  if (order.link === "elsewhere") return elsewhereScreen();
  return startScreen(typeof note === "function" ? note : null);
}
async function resume() {
  if (!S.session) return load();
  waitScreen("loading");
  if (S.link) try { took(await ask("GET", "/holder/order", S.link)); } catch (error) { order = null; }
  try { return verdict(await look()); } catch (error) {
    if (error.status !== 401) return failed(error, resume);
    S.session = "";
    keep();
    return load(order ? say("newSession") : null);
  }
}
// Survives a reload, but not the tab.
function keep() { try { sessionStorage.setItem(KEPT, JSON.stringify(S)); } catch (error) { /* then a reload begins anew */ } }
function remembered() { try { return JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch (error) { return {}; } }
function begun() {
  const before = remembered(), given = location.hash.slice(1);
  if (given) history.replaceState(null, "", location.pathname + location.search);
  S.link = given || before.link || "";
  S.session = S.link === before.link ? before.session || "" : "";
  S.lang = before.lang || (/^en/i.test(navigator.language || "") ? "en" : "zh");
  lang = S.lang === "en" ? 1 : 0;
  keep();
  translate();
  if (S.link) resume(); else withoutLink(resume);
}
// The script of the way without a link, once.
function withoutLink(next) {
  if (typeof unlinkedScreen === "function") return next();
  const script = el("script", { src: "v/unlinked.js" });
  script.onload = next;
  script.onerror = () => netScreen(() => withoutLink(next));
  return document.head.appendChild(script);
}
document.getElementById("language").addEventListener("click", () => {
  lang = lang ? 0 : 1;
  S.lang = lang ? "en" : "zh";
  keep();
  translate();
});
window.addEventListener("hashchange", () => { if (location.hash.length > 1) begun(); });
begun();
