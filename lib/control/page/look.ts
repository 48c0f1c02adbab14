// Light or dark: as the system has it, until the viewer chooses.

const STORED = 'hongbao.look';
const system = matchMedia('(prefers-color-scheme: dark)');

/** Takes up what was chosen before; `onChange` is told when the system changes its mind. */
export function startLook(onChange: () => void): void {
  const stored = localStorage.getItem(STORED);
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.look = stored;
  system.addEventListener('change', onChange);
}

export function isDark(): boolean {
  const { look } = document.documentElement.dataset;
  return look === undefined ? system.matches : look === 'dark';
}

/** Changes to the other look, and remembers it. */
export function changeLook(): void {
  const look = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.look = look;
  localStorage.setItem(STORED, look);
}

/** A colour of the style sheet in the present look, in a form that a canvas understands. */
export function colourOf(variable: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
