// Whether somebody is at the screen: what a page asks by itself keeps nobody signed in.

const PRESENT = 60_000; // milliseconds since the last key or movement
let last = Date.now();

for (const event of ["keydown", "pointerdown", "pointermove", "wheel"]) {
  window.addEventListener(event, () => (last = Date.now()), { passive: true, capture: true });
}

export function somebodyIsHere(): boolean {
  return Date.now() - last < PRESENT;
}
