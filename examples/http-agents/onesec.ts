// onesec over HTTP, in a few lines: nothing but `fetch`.

export class Refused extends Error {}

type Details = Record<string, unknown>;
type Finding = { detector: string; severity: string; reason: string };
type Ruling = { decision: "allow" | "deny" | "hold"; findings: Finding[] };

export class Onesec {
  readonly url: string;
  readonly key: string;

  constructor(url: string, key: string) {
    this.url = url;
    this.key = key;
  }

  private async post(path: string, event: object): Promise<unknown> {
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${this.key}` };
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(this.url + path, { method: "POST", headers, signal, body: JSON.stringify(event) });
    if (!answer.ok) throw new Error(`onesec answered ${answer.status}`);
    return answer.json();
  }

  /** Something that happened. */
  async tell(type: string, details: Details): Promise<void> {
    await this.post("/api/v1/events", { type, details });
  }

  /** Something that is about to happen: throws `Refused` where it must not. */
  async may(type: string, details: Details): Promise<void> {
    const ruling = (await this.post("/api/v1/decide", { type, details })) as Ruling;
    if (ruling.decision === "allow") return;
    const why = ruling.findings.map((finding) => `${finding.detector}: ${finding.reason}`).join("; ");
    throw new Refused(why || ruling.decision);
  }
}
