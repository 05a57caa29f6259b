"""People who call: each in a Chromium of their own, whose microphone is a tone of their own, heard by measuring."""

from __future__ import annotations

import math
import re
import struct
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, Locator, expect

from tests.browser.people import MODIFIED, Person, arrive
from tests.support.lab import RunningLab

RATE = 48_000  # Hz, as browsers record
AMPLITUDE = 0.5
SENT = 20 * math.log10(AMPLITUDE)  # dB of full scale: the peak of a speaker's tone
SILENT = -60.0  # dB of full scale: below this nothing is heard
CONNECTED = 40_000  # ms from the answer to the first sound on a busy machine
EXTENSIONS = {"george": "2007", "anita": "2001", "bruno": "2002", "chiara": "2003", "dolores": "2004"}
TONES = {"george": 920, "anita": 440, "bruno": 700, "chiara": 1100, "dolores": 1700}

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Windows of one screen hide each other; all must go on as if seen.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
]
ALLOW = "--use-fake-ui-for-media-stream"  # as if the person had allowed microphone and camera
# Nothing takes a steady tone for noise, and nothing makes it louder.
PLAIN_SOUND = """if (location.protocol === "http:") {
  localStorage.setItem("ringback.preferences", JSON.stringify({cleanSound: false}));
}"""

# The strength of some frequencies (Goertzel) in a third of a second of what the person hears, in dB of full scale.
LISTEN = """async ([frequencies]) => {
  const heard = [...document.querySelectorAll("audio[data-call]")].filter((one) => one.srcObject && !one.paused);
  const context = new AudioContext();
  await context.resume();
  const analyser = context.createAnalyser();
  analyser.fftSize = 16384;
  const sources = heard.map((one) => context.createMediaStreamSource(one.srcObject));
  for (const source of sources) source.connect(analyser);
  const from = context.currentTime;
  const long = analyser.fftSize / context.sampleRate + 0.1;
  while (context.currentTime - from < long) await new Promise((done) => setTimeout(done, 20));
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const rate = context.sampleRate;
  await context.close();
  return frequencies.map((frequency) => {
    let real = 0, imaginary = 0, weight = 0;
    samples.forEach((sample, at) => {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / (samples.length - 1));
      const angle = (2 * Math.PI * frequency * at) / rate;
      real += window * sample * Math.cos(angle);
      imaginary += window * sample * Math.sin(angle);
      weight += window;
    });
    return 20 * Math.log10(Math.max(1e-10, (2 * Math.hypot(real, imaginary)) / weight));
  });
}"""


def write_tone(path: Path, frequency: int) -> Path:
    """Ten seconds of a tone without a step at its end, since a browser plays it again and again."""
    samples = (round(32767 * AMPLITUDE * math.sin(2 * math.pi * frequency * at / RATE)) for at in range(10 * RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


@dataclass(slots=True)
class Caller(Person):
    """Somebody with a phone in the browser."""

    browser: Browser

    @property
    def number(self) -> str:
        """The extension that colleagues dial."""
        return EXTENSIONS[self.user]

    @property
    def tone(self) -> int:
        """What this person says, in Hz."""
        return TONES[self.user]

    def get_ready(self) -> None:
        """Sign in, and wait for the phone."""
        self.sign_in()
        self.see("Calls")
        expect(self.page.get_by_text(f"Ready, number {self.number}")).to_be_visible(timeout=CONNECTED)

    def leave(self) -> None:
        """Sign out: calls end, and the phone is free for the next client of this person."""
        self.go("/settings/account")
        self.page.get_by_role("main").get_by_role("button", name="Sign out", exact=True).click()
        expect(self.page.get_by_label("Work address")).to_be_visible(timeout=CONNECTED)

    def start_anew(self) -> None:
        """As just signed in: a page without calls, in light, at the usual size; what still goes on is ended."""
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference", forced_colors="none")
        self.page.set_viewport_size({"width": 1440, "height": 900})
        self.go("/contacts")
        expect(self.page.get_by_role("heading", name="Contacts", level=1)).to_be_visible(timeout=CONNECTED)
        bar = self.page.get_by_role("region", name=re.compile("^Call with"))
        while bar.count():
            bar.get_by_role("button", name="End", exact=True).click()
            expect(bar).to_have_count(0, timeout=MODIFIED)
        self.see("Calls")
        expect(self.page.get_by_text(f"Ready, number {self.number}")).to_be_visible(timeout=CONNECTED)

    def call(self, other: Caller) -> None:
        """Dial the extension in the search field."""
        self.dial(other.number)
        expect(self.window(other)).to_be_visible(timeout=MODIFIED)

    def dial(self, text: str) -> None:
        """Type into the search field and press Enter."""
        search = self.page.get_by_role("combobox", name="Search people, or call a number")
        search.fill(text)
        expect(self.page.get_by_role("option", name=f"Call {text}")).to_be_visible()
        search.press("Enter")

    def answer(self, other: Caller, button: str = "Answer") -> None:
        """Take the call of somebody with a button of the card."""
        self.card(other).get_by_role("button", name=button, exact=True).click(timeout=CONNECTED)
        expect(self.window(other)).to_be_visible(timeout=MODIFIED)

    def card(self, other: Caller) -> Locator:
        """The card of an incoming call."""
        return self.page.get_by_role("region", name=f"{other.name} is calling")

    def window(self, other: Caller) -> Locator:
        """The window of a call."""
        return self.page.get_by_role("main", name=f"Call with {other.name}")

    def press(self, name: str) -> None:
        """A control of the call in view, by its word."""
        self.page.get_by_role("toolbar", name="Call controls").get_by_role("button", name=name, exact=True).click()

    def levels(self, *frequencies: int) -> list[float]:
        """How strong each frequency is in what this person hears now, in dB of full scale."""
        found = self.page.evaluate(LISTEN, [list(frequencies)])
        return [float(level) for level in found]

    def hears(self, *others: Caller, not_these: tuple[Caller, ...] = ()) -> None:
        """Wait until exactly these tones are heard, each about as strong as it was said; never one's own."""
        silent = (*not_these, self)
        frequencies = [one.tone for one in (*others, *silent)]

        def right(levels: list[float]) -> bool:
            heard, unheard = levels[: len(others)], levels[len(others) :]
            loud = all(abs(level - SENT) < 6 for level in heard)
            floor = max(SILENT, min(heard, default=0.0) - 30)
            return loud and all(level < floor for level in unheard)

        self._until(right, *frequencies)

    def hears_nothing(self, *others: Caller) -> None:
        """Wait until none of these tones is heard."""
        self._until(lambda levels: all(level < SILENT for level in levels), *(one.tone for one in others))

    def keeps_hearing_nothing(self, *others: Caller, times: int = 3) -> None:
        """Silence that lasts: several measurements one after the other."""
        for _ in range(times):
            assert all(level < SILENT for level in self.levels(*(one.tone for one in others)))

    def _until(self, right: Callable[[list[float]], bool], *frequencies: int) -> None:
        end = time.monotonic() + CONNECTED / 1000
        levels = self.levels(*frequencies)
        while not right(levels):
            assert time.monotonic() < end, f"{self.user} hears {dict(zip(frequencies, levels, strict=True))}"
            levels = self.levels(*frequencies)

    def sees_moving_pictures(self, other: Caller) -> None:
        """The other's picture has a size, and its frames go on."""
        moves = """(name) => {
          const video = document.querySelector(`video[aria-label="Picture of ${name}"]`);
          if (!video || !video.videoWidth) return false;
          const frames = video.getVideoPlaybackQuality().totalVideoFrames;
          video.dataset.from ??= String(frames);
          return frames - Number(video.dataset.from) >= 20;
        }"""
        self.page.wait_for_function(moves, arg=other.name, timeout=CONNECTED)


@contextmanager
def caller(
    chromium: BrowserType,
    lab: RunningLab,
    folder: Path,
    user: str,
    path: str,
    *,
    allowed: bool = True,
    leaves: bool = True,
) -> Iterator[Caller]:
    """Somebody with a browser, a microphone that says the person's tone, and a camera with moving pictures; the browser
    gives them to the page only where ``allowed``. ``leaves``: signs out at the end."""
    tone = write_tone(folder / f"{user}.wav", TONES[user])
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={tone}", *([ALLOW] if allowed else [])]
    browser = chromium.launch(executable_path=path, args=flags)
    try:
        one = arrive(browser, lab, user)
        one.page.context.add_init_script(PLAIN_SOUND)
        made = Caller(one.user, one.page, one.url, browser)
        yield made
        if leaves:
            made.leave()
    finally:
        browser.close()


@dataclass(slots=True)
class Callers:
    """People who stay signed in from test to test, since signing in takes longer than most calls."""

    chromium: BrowserType
    lab: RunningLab
    folder: Path
    path: str
    paths: dict[str, str] = field(default_factory=dict)  # of those who need another browser
    errors: list[str] = field(default_factory=list)
    _here: dict[str, tuple[Caller, ExitStack]] = field(default_factory=dict)

    def take(self, *users: str) -> list[Caller]:
        """These people, each with a phone that is ready and without calls."""
        return [self._take(user) for user in users]

    def _take(self, user: str) -> Caller:
        if user in self._here:
            one = self._here[user][0]
            one.start_anew()
            return one
        stack = ExitStack()
        one = stack.enter_context(caller(self.chromium, self.lab, self.folder, user, self.paths.get(user, self.path)))
        one.page.context.on("weberror", lambda error: self.errors.append(f"{user}: {error.error}"))
        self._here[user] = one, stack
        one.get_ready()
        return one

    def let_go(self, user: str) -> None:
        """Sign out and close the browser, if there is one: whatever is wrong with it is not the next one's."""
        if user in self._here:
            _, stack = self._here.pop(user)
            stack.close()

    def close(self) -> None:
        """Everybody leaves."""
        for user in tuple(self._here):
            self.let_go(user)
