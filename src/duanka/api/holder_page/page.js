(function () {
"use strict";
// The holder's page: plain scripts for old telephones (ES2017), all words in one table, nothing from elsewhere.
const W = {
  title: ["实人核验", "Identity check"],
  language: ["English", "中文"],
  loading: ["正在打开您的工单…", "Opening your order…"],
  asked: ["尾号 {0} 的号码需要实人核验", "Your number ending {0} must be verified"],
  doubt: ["不放心？", "In doubt? "],
  doubtNumber: ["把工单号 {0} 发到 {1}，或拨打服务热线，核实真伪。", "Send the order number {0} to {1}, or call the hotline, to see that this is ours."],
  doubtPlain: ["请拨打服务热线核实真伪。", "Call the hotline to see that this is ours."],
  why: ["为什么", "Why"],
  until: ["办理期限", "Until when"],
  otherwise: ["逾期后果", "What happens otherwise"],
  order: ["工单号", "Order number"],
  zone: ["（{0}，您手机的时间）", " ({0}, your phone's time)"],
  leftDays: ["还有约 {0} 天", "in about {0} days"],
  leftHours: ["还有约 {0} 小时", "in about {0} hours"],
  leftMinutes: ["还有约 {0} 分钟", "in about {0} minutes"],
  over: ["期限已过，现在核验仍然有效", "The time is over; being verified still counts"],
  fromNotice: ["收到短信通知后 {0} 小时内", "Within {0} hours of the notice"],
  noClock: ["目前不计时", "No hours run now"],
  ways: ["两种办理方式，任选其一", "Two ways: choose either"],
  wayOnline: ["现在用手机办理", "Now, on this phone"],
  wayOnlineText: ["约两分钟。对着前置摄像头按提示做几个动作。", "About two minutes. Follow a few movements before the front camera."],
  wayCounter: ["到营业厅办理", "At a counter"],
  bring: ["请带：", "Bring: "],
  closed: ["目前不能在线办理", "Not online at present"],
  consent: ["用手机办理前，请您确认", "Before you begin on this phone"],
  consentFace: ["我同意采集人脸信息", "I agree to face data"],
  consentLaw: ["我已阅读法律责任告知", "I have read the legal notice"],
  judge: ["比对由“{0}”进行。画面只用于本次核验，工单办结后删除。", "“{0}” judges the pictures. They serve this verification only, and are deleted when it is closed."],
  start: ["开始在线核验", "Start online"],
  refuse: ["我不同意，改到营业厅", "I do not agree: I go to a counter"],
  tickBoth: ["请先阅读并勾选以上两项；不同意也可以，请改到营业厅办理。", "Please read and tick both first. If you do not agree, choose the counter: that is fine."],
  changed: ["告知内容已更新，请重新阅读后确认。", "The texts have changed. Please read them again."],
  newSession: ["本次办理已超时，或已在另一台手机上继续。请重新确认。", "This session is over, or goes on on another phone. Please confirm again."],
  ready: ["请把脸放进椭圆框", "Put your face in the oval"],
  readyTips: ["正对手机，光线照在脸上；请摘下口罩、墨镜、帽子，只让本人入镜。", "Face the phone with light on your face. Take off mask, sunglasses and hat; be alone in the picture."],
  readySound: ["每个动作开始时会有提示音和震动。", "A sound and a vibration mark each movement."],
  goOn: ["您已同意，可以继续核验", "You agreed; you can go on"],
  openCamera: ["打开摄像头", "Open the camera"],
  opening: ["正在打开摄像头，请选择“允许”…", "Opening the camera: please choose “Allow”…"],
  go: ["准备好了，开始", "I am ready"],
  toCounter: ["改到营业厅办理", "Go to a counter instead"],
  preview: ["摄像头画面", "Camera picture"],
  count: ["准备：{0}", "Ready: {0}"],
  look: ["请看着镜头，保持不动", "Look at the camera and keep still"],
  openEyes: ["请睁开眼睛", "Open your eyes"],
  done: ["好了，可以放松了", "Done. You can relax"],
  step: ["第 {0} 步，共 {1} 步", "Step {0} of {1}"],
  progress: ["录制进度", "Recording"],
  sending: ["正在上传画面", "Sending the pictures"],
  sent: ["已上传 {0}%", "{0}% sent"],
  sendSize: ["约 {0} MB，请不要关闭页面。", "About {0} MB. Please keep this page open."],
  waiting: ["正在核验", "Being checked"],
  ahead: ["前面还有 {0} 人，大约需要 {1} 秒。", "{0} before you; about {1} seconds."],
  next: ["正在处理您的画面，大约需要 {0} 秒。", "Yours is being looked at; about {0} seconds."],
  keep: ["请不要关闭页面；关闭后可用同一链接再打开。", "Please keep this page open. If you close it, the same link opens it again."],
  passed: ["核验通过", "You are verified"],
  passedWorks: ["您的号码可以正常使用，无需再办理。", "Your number works as before. Nothing is left to do."],
  passedBack: ["您的号码已恢复，马上可以使用，无需再办理。", "Your number is restored and works at once. Nothing is left to do."],
  passedPolice: ["号码按公安机关通知停机，须公安机关同意后才能恢复。", "The number was stopped by police notice; only the police lift it."],
  passedStill: ["号码仍有其他限制，请拨打服务热线了解。", "The number is still restricted for another reason. Please call the hotline."],
  usedUp: ["短信中的链接已用完，不能再次打开。", "The link of the message is used up and opens no more."],
  review: ["已提交，由工作人员审核", "A person will look at it"],
  reviewText: ["我们的审核人员会查看您的画面与登记照片，结果以短信告知。审核期间不计时，号码不会因此停机。", "One of our staff compares your picture with the registered photo, and you get a message. No hours run meanwhile, and nothing is stopped for it."],
  reviewLeave: ["您可以关闭本页面。", "You may close this page."],
  again: ["这次没有通过，请再试一次", "Not passed yet: please try again"],
  left: ["还可以再试 {0} 次。次数用完后改到营业厅办理，不会因此停机。", "You have {0} more tries. After that the way is a counter; nothing is stopped for it."],
  notCounted: ["本次不计次数。", "This one does not count."],
  retry: ["再试一次", "Try again"],
  counter: ["请到营业厅办理", "Please go to a counter"],
  counterWhere: ["地点", "Where"],
  counterPapers: ["所需材料", "What to bring"],
  counterPass: ["核验通过后立即恢复。", "It works again as soon as you are verified."],
  busy: ["请稍候", "Please wait"],
  busyIn: ["{0} 秒后可以再试。", "You can try again in {0} seconds."],
  net: ["网络连接中断", "The connection failed"],
  netText: ["您的画面还在手机上，没有丢失。请检查网络后再试。", "Your pictures are still on this phone. Check the connection and try again."],
  netPlain: ["请检查网络后再试。", "Check the connection and try again."],
  netPoll: ["网络不稳定，正在重新连接…", "The connection is unstable; trying again…"],
  trouble: ["我们的系统出了问题", "Something went wrong on our side"],
  troubleText: ["请稍后再试，或拨打服务热线。", "Please try again later, or call the hotline."],
  broken: ["录制中断了", "The recording was interrupted"],
  brokenText: ["录制时请让本页面保持在前台。", "Keep this page in front while it records."],
  insecure: ["当前连接不安全", "This connection is not secure"],
  insecureText: ["请不要在此页面继续。请重新打开短信中的链接，或拨打服务热线核实。", "Do not go on here. Open the link of the message again, or call the hotline."],
  inapp: ["当前应用不能使用摄像头", "This app cannot use the camera"],
  inappText: ["请回到短信，用手机自带的浏览器（或 Chrome、Safari）打开链接。也可以到营业厅办理。", "Go back to the message and open the link in your phone's own browser (or Chrome, Safari). Or go to a counter."],
  denied: ["没有摄像头权限", "The camera is not allowed"],
  deniedText: ["请点地址栏旁的图标或进入手机“设置”，允许浏览器使用摄像头，然后再试。不方便的话，也可以到营业厅办理。", "Tap the icon beside the address, or open the phone's settings, and allow the browser to use the camera. Then try again. Or go to a counter."],
  missing: ["没有找到摄像头", "No camera was found"],
  missingText: ["请换一部带前置摄像头的手机打开同一链接，或到营业厅办理。", "Open the same link on a phone with a front camera, or go to a counter."],
  taken: ["摄像头正被其他应用使用", "Another app uses the camera"],
  takenText: ["请关闭正在使用摄像头的应用（如视频通话），然后再试。", "Close the other app (a video call, for instance) and try again."],
  ended: ["这个链接已经失效", "This link is no longer valid"],
  endedText: ["链接可能已用完、已过期，或核验已经结束。如仍需办理，请到营业厅，或拨打服务热线。", "It was used, its time is over, or the verification is finished. If something is left to do, go to a counter or call the hotline."],
  noLink: ["请从短信中的链接打开本页面", "Open this page by the link of the message"],
  noLinkText: ["我们在短信里给您的链接才能打开您的工单。没有收到短信，请拨打服务热线。", "Only the link that we sent you opens your order. If you have no message, call the hotline."],
  object: ["我有异议", "I object"],
  objectText: ["如果您认为我们弄错了，请告诉我们。由工作人员处理，受理后 {0} 个工作日内答复。", "If you think that we are wrong, tell us. A person looks at it and answers within {0} working days of taking it up."],
  objectField: ["您的说明（最多 500 字）", "What you say (up to 500 letters)"],
  objectEmpty: ["请写明您的理由。", "Please say why."],
  objectSend: ["提交异议", "Send"],
  back: ["返回", "Back"],
  objected: ["异议已收到", "We have your objection"],
  objectedText: ["受理后 {0} 个工作日内短信答复。在此期间您仍可以核验，通过后立即恢复。", "You get an answer by message within {0} working days of our taking it up. You can still be verified meanwhile; it works again at once."],
  objectNow: ["您的异议：", "Your objection: "],
  filed: ["已提出", "filed"], accepted: ["已受理", "being looked at"], upheld: ["成立", "upheld"], rejected: ["不成立", "not upheld"], withdrawn: ["已撤销", "withdrawn"],
  hotline: ["服务热线 ", "Hotline "],
};
const own = document.body.dataset;
const main = document.getElementById("main"), footer = document.getElementById("footer");
const API = location.pathname.replace(/\/v\/?$/, "") + "/card-restrictions/v1";
const KEPT = "duanka";
const LONGEST = 640, QUALITY = 0.8, LEAST_QUALITY = 0.4, PICTURES = 4200000, LEAST = 16, SHUT = 1200;
const POLL = 1000, LOOK = 15000, ANSWER = 30000, UPLOAD = 120000;

let S = { link: "", session: "", lang: "" };
let order = null, skew = 0, lang = 0;
let bound = [], leaving = [], current = null;
let sound = null;

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
  const objects = order && S.link && ["objection", "passed", "ended"].indexOf(name) < 0;
  return [
    card(
      p([say("doubt"), order ? say("doubtNumber", order.orderId, order.shortCode) : say("doubtPlain")], "small"),
      p([say("hotline"), call()]),
      objects ? button(say("object"), () => objectionScreen(current)) : null,
    ),
  ];
}
const later = (act, wait) => { const timer = setTimeout(act, wait); leaving.push(() => clearTimeout(timer)); };

function untilText() {
  if (!order.dueAt) {
    if (order.state === "opened" || order.state === "undeliverable") return t("fromNotice", order.answerWithinHours);
    return order.state === "expired" || order.state === "failed" ? t("over") : t("noClock");
  }
  const due = new Date(order.dueAt), minutes = Math.floor((due - (Date.now() + skew)) / 60000);
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
        order.objection ? p([say("objectNow"), say(order.objection)], "small") : null,
      ),
      card(
        el("h2", {}, say("ways")),
        el("ul", { class: "ways" },
          way("camera", "wayOnline", online.open ? p(say("wayOnlineText")) : p([say("closed"), () => (lang ? ": " : "："), () => w(online.why)])),
          way("place", "wayCounter", [p(() => w(order.counter)), p([say("bring"), () => w(order.grounds.papers)])])),
      ),
      online.open ? consentCard() : null,
    ];
  }, () => startScreen());
}
function consentCard() {
  const face = el("input", { type: "checkbox", id: "face", "aria-describedby": "face-text" });
  const law = el("input", { type: "checkbox", id: "law", "aria-describedby": "law-text" });
  const problem = el("div", { role: "alert" });
  const tick = (input, title, words) =>
    el("label", { class: "tick", for: input.id }, input,
      el("span", {}, el("strong", {}, say(title)), el("span", { class: "small", id: input.id + "-text" }, words)));
  const both = () => { problem.textContent = ""; };
  face.addEventListener("change", both);
  law.addEventListener("change", both);
  return card(
    el("h2", {}, say("consent")),
    tick(face, "consentFace", () => w(order.online.faceConsent)),
    tick(law, "consentLaw", () => w(order.online.legalNotice)),
    p(() => t("judge", order.online.supplier === "embedded" ? mine("operator") : order.online.supplier), "small soft"),
    problem,
    button(say("start"), () => {
      if (face.checked && law.checked) return begin(true, true);
      fill(problem, [el("div", { class: "box warn" }, p(say("tickBoth")))]);
      return (face.checked ? law : face).focus();
    }, "full"),
    button(say("refuse"), () => begin(false, law.checked), "other"),
  );
}
async function begin(face, law) {
  unlockSound();
  const body = { faceDataAgreed: face, legalNoticeRead: law, wordsDigest: order.online.wordsDigest };
  waitScreen("loading");
  try {
    const found = await ask("POST", "/holder/session", S.link, body);
    if (found.route === "counter") { order.dueAt = found.dueAt; return counterScreen(() => w(found.words)); }
    S.session = found.sessionToken;
    keep();
    return found.stage === "ready" || found.stage === "again" ? cameraScreen() : verdict(await look());
  } catch (error) {
    if (error.status === 409 && !error.told.reason) return load(say("changed"));
    return failed(error, () => load());
  }
}

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
  if (current !== here) return stop(stream); // the holder went elsewhere meanwhile
  return readyScreen(stream);
}
const stop = (stream) => stream.getTracks().forEach((one) => one.stop());
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
    const tips = el("div", { class: "tips" }, p(say("readyTips"), "small"), p(say("readySound"), "small"));
    const away = button(say("toCounter"), () => counterScreen());
    const start = button(say("go"), () => { [start, tips, away].forEach((one) => one.remove()); record(stream, video, { words, sign, step, bar, view }); }, "full");
    video.addEventListener("loadeddata", () => { start.disabled = false; });
    start.disabled = video.readyState < 2;
    return [card(
      el("h1", { tabindex: "-1", class: "unseen" }, say("preview")), el("div", { class: "ask" }, sign, words), view,
      el("div", { class: "bar", role: "progressbar", "aria-label": say("progress"), "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" }, bar),
      step, start, tips, away)];
  }, resumeScreen);
  leaving.push(() => stop(stream));
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
  const frames = await pictures(video, asked, parts, () => going);
  if (!going) return;
  tell(parts, "good", say("done"));
  cue(true);
  send(asked.challengeId, frames);
}
const pause = (wait) => new Promise((then) => setTimeout(then, wait));

// Pictures at even distances; a telephone too slow for that leaves some out, and goes on until there are enough.
function pictures(video, asked, parts, going) {
  const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const ink = canvas.getContext("2d", { alpha: false });
  const most = PICTURES / asked.frames;
  const frames = [];
  let began = 0, due = 0, busy = false, quality = QUALITY, now = "";
  return new Promise((then) => {
    const take = (at) => {
      busy = true;
      ink.drawImage(video, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => {
        busy = false;
        if (blob) frames.push({ order: frames.length, at: Math.round(at * 1000) / 1000, blob });
        if (blob && blob.size > most) quality = Math.max(LEAST_QUALITY, quality - 0.15);
      }, "image/jpeg", quality);
    };
    const beat = () => {
      if (!going()) return then([]);
      if (!began) began = performance.now();
      const at = (performance.now() - began) / 1000;
      if (!busy && at * 1000 >= due && frames.length < 40) {
        take(at);
        due = Math.max(due + asked.everyMilliseconds, at * 1000 + asked.everyMilliseconds / 2);
      }
      now = guide(asked, at, parts, now);
      if (at >= asked.seconds && frames.length >= Math.min(LEAST, asked.frames) && !busy) return then(frames);
      return setTimeout(beat, 25);
    };
    beat();
  });
}
// What is to be done at this moment; told once, seen, heard and felt.
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

// ---- sending and waiting -----------------------------------------------------------------------------------------
const base64 = (blob) => new Promise((then, not) => {
  const reader = new FileReader();
  reader.onload = () => then(String(reader.result).split(",")[1]);
  reader.onerror = not;
  reader.readAsDataURL(blob);
});
async function send(number, frames) {
  const told = [];
  for (const one of frames) told.push({ order: one.order, at: one.at, jpeg: await base64(one.blob) });
  upload(JSON.stringify({ challengeId: number, frames: told }));
}
function upload(body) {
  let bar, box, part = 0;
  show("sending", () => {
    bar = el("div", {});
    box = el("div", { class: "bar", role: "progressbar", "aria-label": say("sending"), "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" }, bar);
    return [card(h1(say("sending")), box, p(() => t("sent", part), "soft"), p(say("sendSize", (body.length / 1048576).toFixed(1))))];
  });
  const request = new XMLHttpRequest();
  let left = false;
  leaving.push(() => { left = true; request.abort(); });
  request.open("POST", API + "/holder/check");
  request.timeout = UPLOAD;
  request.setRequestHeader("Authorization", "Bearer " + S.session);
  request.setRequestHeader("Content-Type", "application/json");
  request.upload.onprogress = (event) => {
    part = Math.round((event.loaded / event.total) * 100) || 0;
    bar.style.width = part + "%";
    box.setAttribute("aria-valuenow", part);
    bound.forEach((one) => one());
  };
  const lost = () => { if (!left) netScreen(() => resend(body), true); };
  request.onerror = lost;
  request.ontimeout = lost;
  request.onload = () => {
    if (left) return null;
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch (error) { /* told by its status */ }
    if (request.status === 202) return verdict(answer);
    return failed({ status: request.status, told: answer, wait: Number(request.getResponseHeader("Retry-After")) || 0 }, cameraScreen);
  };
  request.send(body);
}
// The answer may have been lost and not the pictures: who was heard does not send again.
async function resend(body) {
  waitScreen("sending");
  try {
    const found = await look();
    if (found.stage === "ready" || found.stage === "again") upload(body);
    else verdict(found);
  } catch (error) { failed(error, () => resend(body), true); }
}
const look = () => ask("GET", "/holder/check", S.session);
function waitScreen(name) { show("loading", () => [card(h1(say(name)), el("div", { class: "turning" }))]); }

function verdict(found) {
  const to = { ready: resumeScreen, waiting: waitingScreen, again: againScreen, review: reviewScreen, passed: passedScreen, counter: counterFor };
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
    el("div", { class: found.restriction ? "box warn" : "box good" }, p(say(found.restriction ? still : key))), p(say("usedUp"), "soft"))], () => passedScreen(found));
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
    p([free ? say("notCounted") : "", () => (lang ? " " : ""), say("left", found.left)]),
    button(say("retry"), cameraScreen, "full"), button(say("toCounter"), () => counterScreen()))], () => againScreen(found));
}
function counterFor(found) {
  const why = found.reasons.length ? () => found.reasons.map((one) => w(one.words)).join(lang ? " " : "；") : null;
  counterScreen(why);
}
function counterScreen(why) {
  show("counter", () => [el("div", { class: "card" }, el("div", { class: "verdict" }, icon("place", "mark"), h1(say("counter"))),
    why ? el("div", { class: "box warn" }, p(why)) : null, counterRows(), p(say("counterPass")),
    S.link && order ? button(say("back"), () => load()) : null)], () => counterScreen(why));
}

// ---- what can go wrong -------------------------------------------------------------------------------------------
function failed(error, retry, kept) {
  const told = error.told || {}, words = told.words ? () => w(told.words) : null;
  if (!error.status) return netScreen(retry, kept);
  if (error.status === 401) return restart();
  if (error.status === 429 || error.status === 503) return busyScreen(words, error.wait, retry);
  if (["no_reference", "not_available", "used_up"].indexOf(told.reason) >= 0) return counterScreen(words);
  if (told.reason === "busy") return busyScreen(words, 10, retry);
  if (told.reason === "replayed") return look().then(verdict, (other) => failed(other, retry));
  if (told.reason === "other_session") return restart();
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
function netScreen(retry, kept) { simple("net", retry, [p(say(kept ? "netText" : "netPlain"))]); }
function endedScreen() { order = null; simple("ended", null, [p(say("endedText")), counterRows()]); }
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
      button(say("back"), () => (back || load)()))];
  }, () => objectionScreen(back));
}
async function object(text, back) {
  waitScreen("sending");
  try { took(await ask("POST", "/holder/objection", S.link, { text: text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, " ") })); } catch (error) {
    return error.status === 401 ? endedScreen() : failed(error, () => object(text, back));
  }
  return show("objected", () => [el("div", { class: "card verdict good-mark" }, icon("good", "mark"), h1(say("objected")), p(say("objectedText", order.objectionDays)), button(say("back"), () => (back || load)(), "full"))], back);
}

// ---- asking ------------------------------------------------------------------------------------------------------
async function ask(method, path, token, body) {
  const headers = { Authorization: "Bearer " + token };
  if (body) headers["Content-Type"] = "application/json";
  const asks = { method, headers, cache: "no-store", credentials: "omit", body: body ? JSON.stringify(body) : undefined };
  const late = new Promise((_, not) => { setTimeout(() => not(new Error("late")), ANSWER); });
  let answer, told = {};
  try { answer = await Promise.race([fetch(API + path, asks), late]); } catch (error) { throw { status: 0 }; }
  try { told = await answer.json(); } catch (error) { /* told by its status */ }
  if (answer.ok) return told;
  throw { status: answer.status, told, wait: Number(answer.headers.get("Retry-After")) || 0 };
}
function took(found) { order = found; skew = new Date(found.now) - Date.now(); }
async function load(note) {
  waitScreen("loading");
  if (!S.link) return simple("noLink", null, p(say("noLinkText")));
  try { took(await ask("GET", "/holder/order", S.link)); } catch (error) {
    return error.status === 401 ? endedScreen() : failed(error, () => load(note));
  }
  return startScreen(typeof note === "function" ? note : null);
}
async function open() {
  if (!S.session) return load();
  waitScreen("loading");
  try { took(await ask("GET", "/holder/order", S.link)); } catch (error) { order = null; }
  try { return verdict(await look()); } catch (error) {
    if (error.status !== 401) return failed(error, open);
    S.session = "";
    keep();
    return load(order ? say("newSession") : null);
  }
}
// For a reload alone: the tab forgets it with itself.
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
  open();
}
document.getElementById("language").addEventListener("click", () => {
  lang = lang ? 0 : 1;
  S.lang = lang ? "en" : "zh";
  keep();
  translate();
});
window.addEventListener("hashchange", () => { if (location.hash.length > 1) begun(); });
begun();
}());
