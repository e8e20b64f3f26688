"use strict";
// Without a link: number and order number of the notice, in any browser. The face is the proof; no code is asked for.
// Loaded only where there is no link: whoever opens one, on a slow line, does not wait for it.
Object.assign(W, {
  loadingPage: ["正在打开…", "Opening…"],
  noCode: ["凭本人面容核验。我们不会索要验证码、密码、银行卡号。", "Your face is the proof. We never ask for codes, passwords or card numbers."],
  unlinked: ["凭号码和工单号核验，恢复号码", "Restore a number by its order number"],
  unlinkedText: ["号码停机收不到短信、手机不在身边或人在国外，都可以用任何手机、电脑的浏览器办理。约两分钟，通过立即恢复。有短信链接的，请直接打开链接。", "When the number gets no messages, the phone is not with you or you are abroad: in any browser, in about two minutes; it works again at once. If you have the link of the message, open that."],
  unlinkedClosed: ["目前不能在线办理，请到营业厅或拨打服务热线。", "This is not open online at present: go to a counter or call the hotline."],
  numberField: ["手机号码", "Your number"],
  numberHint: ["被停机的号码，如 138 0000 0000", "The number that was stopped, like 138 0000 0000"],
  numberWrong: ["请输入被停机的 11 位手机号码，不要缺位或多位。", "Type the 11 digits of the number that was stopped."],
  orderField: ["工单号", "Order number"],
  orderHint: ["在短信通知里，V 或 R 开头，共 13 位", "In our message: V or R, then 12 letters and digits"],
  orderWrong: ["工单号是短信里 V 或 R 开头的 13 位字母和数字。找不到？请拨打服务热线或到营业厅。", "It begins with V or R and has 13 letters and digits. Not at hand? Call the hotline or go to a counter."],
  typedWrong: ["号码或工单号的写法不对，请对照短信再输入一次。", "The number or the order number is not written as in the message: please type them again."],
  unlinkedUsedUp: ["今天在这里可以试的次数已用完。24 小时后可以再试；也可以到营业厅，或打开短信中的链接：那里的次数不受影响。", "Today's tries are used up here. Try again in 24 hours, go to a counter, or open the link of the message: its own tries are untouched."],
  unlinkedRefuse: ["不同意也可以：请到营业厅办理，不会因此停机。", "You may say no: go to a counter, and nothing is stopped for it."],
  unlinkedNumbers: ["请确认号码和工单号与短信一致。", "See also that both numbers are those of the message."],
  leftUnlinked: ["今天在这里还可以再试 {0} 次。之后请到营业厅办理，不会因此停机。", "You have {0} more tries here today. After that the way is a counter; nothing is stopped for it."],
  before: ["开始前，请您确认", "Before you begin"],
  noOrder: ["没有工单号？", "No order number?"],
  noOrderText: ["拨打服务热线查询，或带证件到任一营业厅办理。", "Ask the hotline, or bring your document to a counter."],
});
const BEGIN = "/holder/unlinked-session";
const typed = { number: "", order: "" }; // for going back to the form; never kept beyond this page
let terms = null;

async function unlinkedScreen(note) {
  if (!terms) {
    waitScreen("loadingPage");
    try { terms = await ask("GET", BEGIN, ""); } catch (error) { return failed(error, () => unlinkedScreen(note)); }
  }
  return show("unlinked", () => [
    note ? notice(note, "warn") : null,
    el("div", { class: "box good" }, p(say("noCode"), "trust")),
    card(h1(say("unlinked")), p(say(terms.open ? "unlinkedText" : "unlinkedClosed"))),
    terms.open ? unlinkedForm() : null,
    card(el("h2", {}, say("noOrder")), p(say("noOrderText")), p([say("hotline"), call()]), counterRows()),
  ], () => unlinkedScreen());
}
function unlinkedForm() {
  const number = entry("number", "tel", "tel", "numberField", "numberHint");
  const order = entry("order", "text", "off", "orderField", "orderHint");
  const tick = agreement(terms);
  order.input.setAttribute("autocapitalize", "characters");
  order.input.setAttribute("spellcheck", "false");
  return card(
    number.all, order.all, el("h2", {}, say("before")), tick.all,
    button(say("start"), () => {
      [number, order].forEach((one) => { typed[one.name] = one.input.value; one.wrong(null); });
      if (!telephone(typed.number)) return number.wrong("numberWrong");
      if (!orderNumber(typed.order)) return order.wrong("orderWrong");
      return tick.given() ? beginUnlinked() : null;
    }, "full"),
    p(say("unlinkedRefuse"), "small soft"),
  );
}
// A labelled field with a hint, and a place for what is wrong with it.
function entry(name, kind, fills, label, hint) {
  const input = el("input", { type: kind, id: name, autocomplete: fills, maxlength: "40", "aria-describedby": name + "-hint " + name + "-wrong" });
  const problem = el("div", { role: "alert", id: name + "-wrong" });
  input.value = typed[name];
  const wrong = (key) => {
    problem.textContent = "";
    input.setAttribute("aria-invalid", key ? "true" : "false");
    if (!key) return;
    fill(problem, [el("div", { class: "box warn" }, p(say(key)))]);
    input.focus();
  };
  const all = [el("label", { class: "field", for: name }, say(label)), el("p", { class: "small soft", id: name + "-hint" }, say(hint)), input, problem];
  return { name, input, all, wrong };
}
const narrow = (text) => text.replace(/[\uff01-\uff5e]/g, (one) => String.fromCharCode(one.charCodeAt(0) - 0xfee0));
// As the server reads them: a number of China in any form or one with +; V or R and 12 letters.
function telephone(text) {
  const digits = narrow(text).replace(/[\s().\-\u2010-\u2015]/g, "").replace(/^00/, "+");
  if (/^\+[1-9][0-9]{6,14}$/.test(digits)) return digits;
  const china = digits.replace(/^86(?=1[0-9]{10}$)/, "");
  return /^1[0-9]{10}$/.test(china) ? "+86" + china : "";
}
function orderNumber(text) {
  const plain = narrow(text).toUpperCase().replace(/[\s._\u00b7\-\u2010-\u2015]/g, "");
  const letters = plain.slice(1).replace(/O/g, "0").replace(/[IL]/g, "1");
  return /^[VR]$/.test(plain.charAt(0)) && /^[0-9A-HJKMNP-TV-Z]{12}$/.test(letters) ? plain.charAt(0) + letters : "";
}
async function beginUnlinked() {
  unlockSound();
  waitScreen("submitting");
  const body = { phoneNumber: telephone(typed.number), orderNumber: orderNumber(typed.order), faceDataAgreed: true, legalNoticeRead: true, wordsDigest: terms.wordsDigest };
  try {
    const found = await ask("POST", BEGIN, "", body);
    Object.assign(S, { link: "", session: found.sessionToken });
    order = null;
    keep();
    return cameraScreen();
  } catch (error) {
    if (error.status === 400) return unlinkedScreen(say("typedWrong"));
    if (error.status === 409 && !error.told.reason) { terms = null; return unlinkedScreen(say("changed")); }
    if (error.told && error.told.reason === "used_up") return unlinkedScreen(say("unlinkedUsedUp"));
    return failed(error, () => unlinkedScreen());
  }
}
