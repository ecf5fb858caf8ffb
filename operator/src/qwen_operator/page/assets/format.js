// Numbers and times as a person reads them.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SMALL = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 1234.5 → 1,235; 3.25 → 3.3; null → –. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  return (Math.abs(value) < 10 ? SMALL : WHOLE).format(value);
}

/** 0.123 → 12 %. */
export function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`;
}

/** Seconds in the two largest units: 75 → 1 min 15 s. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor((whole % 86400) / 3600), "h"],
    [Math.floor((whole % 3600) / 60), "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  const told = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return told.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** How much of a download is here: "3.2 of 15.2 GiB", or "3.2 GiB" where the whole is not known. */
export function amount(bytes, total) {
  const there = (size) => (size / 2 ** 30).toFixed(1);
  return typeof total === "number" ? `${there(bytes)} of ${there(total)} GiB` : `${there(bytes)} GiB`;
}

/** Seconds since an RFC 3339 time, by the operator's clock; null where there is none. */
export function since(moment, now) {
  const at = Date.parse(moment ?? "");
  return Number.isNaN(at) ? null : Math.max(0, now - at / 1000);
}

/** "1 model", "2 models". */
export function counted(count, one, many = `${one}s`) {
  return `${WHOLE.format(count)} ${count === 1 ? one : many}`;
}
