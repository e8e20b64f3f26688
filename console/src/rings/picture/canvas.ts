// The picture on the screen: drawn once to a larger picture aside, which is moved while somebody drags, and drawn anew
// at rest. Under it lies a small picture of the whole, so that no part is ever blank.

import { type Drawn, type Look, paint } from "./paint";
import type { View } from "./view";

const AT_REST = 120; // ms without a movement
const MARGIN = 0.5; // of the width and height of what is seen, on each side
const WHOLE = 900; // pixels of the longer side of the picture of the whole

interface Aside {
  canvas: HTMLCanvasElement;
  view: View;
}

export class Screen {
  private readonly ctx: CanvasRenderingContext2D;
  private sharp: Aside | null = null;
  private whole: Aside | null = null;
  private what: Drawn | null = null;
  private view: View = { x: 0, y: 0, scale: 1 };
  private frame = 0;
  private timer = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.ctx = canvas.getContext("2d", { alpha: false }) as CanvasRenderingContext2D;
  }

  /** Show something else, or the same in other colours: it is drawn at once. */
  show(what: Drawn, view: View): void {
    [this.what, this.view] = [what, view];
    this.drawWhole();
    this.rest();
  }

  /** Move the picture that is there; it is drawn sharp when the movement ends. */
  move(view: View): void {
    this.view = view;
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.copy();
      });
    }
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.rest(), AT_REST);
  }

  stop(): void {
    window.clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }

  private rest(): void {
    const began = performance.now();
    window.clearTimeout(this.timer);
    if (!this.what) return;
    const { width, height } = this.canvas;
    const { scale } = this.view;
    this.sharp ??= { canvas: document.createElement("canvas"), view: this.view };
    sized(this.sharp.canvas, width * (1 + 2 * MARGIN), height * (1 + 2 * MARGIN));
    this.sharp.view = { scale, x: this.view.x - (width * MARGIN) / scale, y: this.view.y - (height * MARGIN) / scale };
    draw(this.sharp, this.what, this.look());
    this.copy();
    this.canvas.dataset.took = (performance.now() - began).toFixed(1); // a benchmark and tests wait for it
  }

  private drawWhole(): void {
    if (!this.what) return;
    const { picture, height } = this.what.scene;
    const scale = WHOLE / Math.max(picture.width, height);
    this.whole ??= { canvas: document.createElement("canvas"), view: this.view };
    sized(this.whole.canvas, picture.width * scale, height * scale);
    this.whole.view = { x: 0, y: 0, scale };
    draw(this.whole, this.what, this.look());
  }

  private copy(): void {
    this.ctx.fillStyle = this.look().colour("--card");
    this.ctx.fillRect(0, 0, this.canvas.width, this.canvas.height);
    for (const aside of [this.whole, this.sharp]) {
      if (!aside) continue;
      const by = this.view.scale / aside.view.scale;
      const [x, y] = [(aside.view.x - this.view.x) * this.view.scale, (aside.view.y - this.view.y) * this.view.scale];
      this.ctx.drawImage(aside.canvas, x, y, aside.canvas.width * by, aside.canvas.height * by);
    }
  }

  /** Colours as the style sheet has them now, light or dark. */
  private look(): Look {
    const style = getComputedStyle(this.canvas);
    const known = new Map<string, string>();
    const colour = (token: string): string => {
      let value = known.get(token);
      if (value === undefined) known.set(token, (value = style.getPropertyValue(token).trim()));
      return value;
    };
    return { colour, font: style.fontFamily };
  }
}

function draw(aside: Aside, what: Drawn, look: Look): void {
  const ctx = aside.canvas.getContext("2d", { alpha: false });
  if (ctx) paint(ctx, what, aside.view, look);
}

function sized(canvas: HTMLCanvasElement, width: number, height: number): void {
  const [wide, high] = [Math.max(1, Math.round(width)), Math.max(1, Math.round(height))];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
}
