"""The server's app without a network:  python -m unittest discover targets/flower/test"""

import json
import os
import sys
import tempfile
import threading
import tomllib
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from board import HEAD, Board, Failure, Grid, Silence, drawings  # noqa: E402
from flwr.supercore.logger import FLOWER_LOGGER  # noqa: E402
from s2afleet import closed, journal  # noqa: E402
from s2afleet.adapter import read_adapter, write_adapter  # noqa: E402
from s2afleet.fleet import Fleet  # noqa: E402
from s2afleet.journal import Journal  # noqa: E402
from s2afleet.refusal import Refusal  # noqa: E402
from s2afleet.settings import read_settings  # noqa: E402

FLOWER_LOGGER.setLevel("CRITICAL")
DEFAULTS = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
CLASSES = ["ant", "bee", "cat", "dog"]
PICTURES = drawings(CLASSES)


def boards(**kwargs):
    return [Board(name, labels, PICTURES, **kwargs) for name, labels in (("c", ["ant", "bee"]), ("a", ["cat", "dog"]), ("b", ["bee", "cat"]))]


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_fleet(self, grid, out="out", **options):
        config = {**DEFAULTS, "out": str(self.folder / out), "rounds": 2, "nodes": 2, "wait": 1.0, "refresh": 0, **{k.replace("_", "-"): v for k, v in options.items()}}
        Fleet(grid, read_settings(config)).run()
        return self.folder / out

    def lines(self, out="out"):
        return [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]

    def test_a_run_learns_and_writes_what_it_says(self):
        out = self.run_fleet(Grid(boards()))
        lines = self.lines()
        self.assertEqual([(line["round"], line["phase"]) for line in lines], [(0, "query"), (0, "start"), (0, "sums"), (0, "evaluate"), (1, "train"), (1, "evaluate"), (2, "train"), (2, "evaluate")])
        identity, arrays = read_adapter(out / "adapter")
        self.assertEqual(identity.labels, CLASSES)
        self.assertEqual(sorted(arrays), ["fc.bias", "fc.weight", "s2a.rates", "shift"])
        self.assertEqual([node["name"] for node in lines[4]["nodes"]], ["a", "b", "c"])
        self.assertGreater(lines[-1]["mean"]["accuracy"], 0.9)
        # A node keeps what it was sent: the adapter that it judged is not sent again to be learnt from.
        judged, learnt = lines[5], lines[6]
        self.assertGreater(judged["nodes"][0]["down"], 4 * arrays["fc.weight"].size + learnt["nodes"][0]["down"] - 600)
        self.assertGreater(learnt["nodes"][0]["up"], 4 * arrays["fc.weight"].size)
        self.assertTrue((out / "rounds" / "001" / "adapter_model.safetensors").exists())
        options = json.loads((out / "options.json").read_text())
        self.assertEqual(set(options), set(DEFAULTS))
        self.assertEqual((options["rounds"], options["strategy"], options["fraction-train"], options["out"]), (2, "fedavg", 1.0, str(out)))

    def test_the_mean_is_the_one_computed_by_hand_to_the_last_bit(self):
        for classes in ("all", "own"):
            members = boards()
            kept = {}
            for board in members:
                board.spoil = lambda kind, reply, name=board.name: kept.update({name: reply}) if kind == "train" else None
            out = self.run_fleet(Grid(members), out=classes, rounds=1, classes=classes)
            _, before = read_adapter(out / "rounds" / "000")
            _, after = read_adapter(out / "adapter")
            hand = by_hand([kept[name] for name in sorted(kept)], before)
            for name, value in hand.items():
                self.assertEqual(value.tobytes(), after[name].tobytes(), f"{name}, classes {classes}")

    def test_rows_that_nobody_trained_stay(self):
        out = self.run_fleet(Grid(boards()), rounds=1, labels="ant,bee,cat,dog,elk", head="none", classes="own")
        _, arrays = read_adapter(out / "adapter")
        self.assertFalse(arrays["fc.weight"][4].any())
        self.assertTrue(arrays["fc.weight"][3].any())

    def test_the_same_answers_in_any_order_give_the_same_bytes(self):
        first = self.run_fleet(Grid(boards()), out="x")
        second = self.run_fleet(Grid(boards()[::-1]), out="y")
        self.assertEqual((first / "adapter" / "adapter_model.safetensors").read_bytes(), (second / "adapter" / "adapter_model.safetensors").read_bytes())

    def test_every_strategy_runs(self):
        for strategy, more in (("fedprox", {"prox": 0.1}), ("fedadam", {}), ("fedmedian", {}), ("krum", {}), ("fedavg", {"clip": 0.5, "noise": 0.01})):
            self.run_fleet(Grid(boards()), out=strategy + str(len(more)), strategy=strategy, **more)

    def test_a_clipped_update_moves_no_further_than_the_clip(self):
        out = self.run_fleet(Grid(boards()), rounds=1, clip=0.25)
        _, before = read_adapter(out / "rounds" / "000")
        _, after = read_adapter(out / "adapter")
        moved = np.sqrt(sum(((after[n].astype(float) - before[n]) ** 2).sum() for n in before))
        self.assertGreater(moved, 0.01)
        # Each of three moves at most 0.25; rows are averaged over fewer, so the whole may move further than one, not further than all.
        self.assertLessEqual(moved, 0.75)

    def test_a_run_goes_on_after_its_server_was_lost(self):
        for strategy in ("fedavg", "fedadam"):
            whole = self.run_fleet(Grid(boards()), out=f"whole-{strategy}", rounds=4, strategy=strategy)
            grid = Grid(boards())
            out = self.run_fleet(grid, out=f"cut-{strategy}", rounds=2, strategy=strategy)
            # A round that did not become whole: its line stands, its state does not.
            with open(out / "metrics.jsonl", "a", encoding="utf-8") as file:
                file.write('{"round": 3, "phase": "train"}\n{"round": 3, "ph')
            with self.assertRaisesRegex(Refusal, "already holds a run, *|already holds a run;"):
                self.run_fleet(grid, out=f"cut-{strategy}", rounds=4, strategy=strategy)
            self.run_fleet(grid, out=f"cut-{strategy}", rounds=4, strategy=strategy, resume=True)
            same = [(folder / "adapter" / "adapter_model.safetensors").read_bytes() for folder in (whole, out)]
            self.assertEqual(same[0], same[1])
            rounds = [line["round"] for line in self.lines(f"cut-{strategy}") if line["phase"] == "train"]
            self.assertEqual(rounds, [1, 2, 3, 4])

    def test_an_initial_adapter_is_learnt_on(self):
        first = self.run_fleet(Grid(boards()), out="first", rounds=1)
        second = self.run_fleet(Grid(boards()), out="second", rounds=1, adapter=str(first / "adapter"))
        self.assertEqual((first / "adapter" / "adapter_model.safetensors").read_bytes(), (second / "rounds" / "000" / "adapter_model.safetensors").read_bytes())

    def refused(self, spoil, phase="train", **options):
        members = boards()
        members[1].spoil = lambda kind, reply: spoil(reply) if kind == phase else None
        grid = Grid(members)
        self.run_fleet(grid, out=f"r{len(list(self.folder.iterdir()))}", rounds=1, **options)
        line = next(line for line in self.lines(f"r{len(list(self.folder.iterdir())) - 1}") if line["phase"] == phase)
        self.assertEqual(len(line["nodes"]), 2)
        (refused,) = line["refused"]
        self.assertEqual(refused["name"], "a")
        # The board is told the same.
        self.assertEqual(grid.told, [("a", refused["why"])])
        return refused["why"]

    def test_what_cannot_be_averaged_is_refused_in_a_sentence(self):
        def number(value):
            def spoil(reply):
                reply["arrays"]["adapter"] = reply["arrays"]["adapter"].copy()
                reply["arrays"]["adapter"][3] = value
            return spoil

        def change(key, value):
            return lambda reply: reply["metrics"].update({key: value})

        def layout(text):
            return lambda reply: reply["config"].update({"layout": text})

        def identity(old, new):
            return lambda reply: reply["config"].update({"info": reply["config"]["info"].replace(old, new)})

        cases = [
            (number(np.nan), "NaN or infinite"),
            (number(np.inf), "NaN or infinite"),
            (lambda reply: reply["arrays"].update({"adapter": reply["arrays"]["adapter"][:-1]}), "does not fit the array"),
            (lambda reply: reply["arrays"].update({"adapter": reply["arrays"]["adapter"].astype("f8")}), "of another type"),
            (lambda reply: reply["arrays"].update({"adapter": reply["arrays"]["adapter"][None]}), "not the one array adapter f32"),
            (layout("[[" * 5000), "bad layout"),
            (layout('[["fc.bias",[4294967296,4294967296]]]'), "bad layout"),
            (change("num-examples", -1), "bad num-examples"),
            (change("num-examples", 10**9), "bad num-examples"),
            (change("loss", float("nan")), "bad loss"),
            (change("label-counts", [1]), "bad label-counts"),
            (change("label-counts", [0, 0, 0, 0]), "label-counts are not those of its pictures, got 0, expected 24"),
            (change("seconds", float("nan")), "bad seconds"),
            (change("seconds", [1.0]), "bad seconds"),
            (change("peak-bytes", -1), "bad peak-bytes"),
            (change("extra", 1), "the metrics have something that is not known, got extra"),
            (identity("abab", "cdcd"), "other base weights"),
            (identity('"method":"bias"', '"method":"lora"'), "another method"),
            (identity('"precision"', '"arithmetic":"relaxed","precision"'), "another arithmetic"),
            (identity('"version"', '"task":{"name":"regress"},"version"'), "another task"),
            (identity('"cat"', '"cow"'), "a label that the fleet does not have"),
            (identity('"cat"', '"\\ud800"'), "no Unicode"),
            (identity('"version":1', '"version":2'), "another version"),
            (lambda reply: reply["config"].update({"format": 2}), "another format"),
            (lambda reply: reply["config"].update({"extra": 2}), "not known"),
        ]
        for spoil, sentence in cases:
            with self.subTest(sentence):
                why = self.refused(spoil)
                self.assertIn(sentence, why)
                self.assertNotIn("\n", why)

    def test_a_judgement_that_does_not_add_up_is_refused(self):
        for change, sentence in (
            ({"label-right": [0, 0, 13, 11]}, "bad label-right, got [0, 0, 13, 11], expected at most [0, 0, 12, 12]"),
            ({"label-right": [0, 0, 1, 2], "accuracy": 1.0}, "accuracy is not that of label-right, got 1.0, expected 3 of 24"),
            ({"label-counts": [0, 0, 12, 11]}, "label-counts are not those of its pictures"),
            ({"accuracy": float("nan")}, "bad accuracy"),
        ):
            members = boards()
            members[1].spoil = lambda kind, reply, change=change: reply["metrics"].update(change) if kind == "evaluate" else None
            out = f"judged-{len(list(self.folder.iterdir()))}"
            self.run_fleet(Grid(members), out=out, rounds=1)
            for line in self.lines(out):
                if line["phase"] == "evaluate":
                    self.assertIn(sentence, line["refused"][0]["why"])
                    self.assertTrue(all(right <= count for right, count in line["labels"].values()))

    def test_sums_that_are_not_those_asked_for_are_refused(self):
        self.assertIn("misshapen", self.refused(lambda reply: reply["arrays"].update({"gram": reply["arrays"]["gram"][1:]}), "sums"))
        self.assertIn("counts", self.refused(lambda reply: reply["arrays"]["sums"].__setitem__((0, -1), 99), "sums"))

    def test_sums_are_asked_for_again_where_a_node_was_not_heard(self):
        whole = self.run_fleet(Grid(boards()), out="whole", rounds=1)
        members = boards()
        times = []

        def hush(kind, _reply):
            if kind == "sums" and not times:
                times.append(1)
                raise Silence

        members[0].spoil = hush
        out = self.run_fleet(Grid(members), out="again", rounds=1)
        same = [(folder / "adapter" / "adapter_model.safetensors").read_bytes() for folder in (whole, out)]
        self.assertEqual(same[0], same[1])
        line = next(line for line in self.lines("again") if line["phase"] == "sums")
        self.assertEqual([len(line["nodes"]), line["fell"]], [3, []])

    def test_the_head_is_made_anew_from_sums(self):
        out = self.run_fleet(Grid(boards()), rounds=3, refresh=2)
        asked = [(line["round"], line["phase"]) for line in self.lines() if line["phase"] == "sums"]
        self.assertEqual(asked, [(0, "sums"), (3, "sums")])
        self.assertEqual([line["round"] for line in self.lines() if line["phase"] == "train"], [1, 2])
        _, arrays = read_adapter(out / "adapter")
        x = np.concatenate([board.x for board in sorted(boards(), key=lambda b: b.name)]) + arrays["shift"]
        y = sum((board.y for board in sorted(boards(), key=lambda b: b.name)), [])
        weight, bias, _ = closed.ridge(*one_place(x, y))
        np.testing.assert_allclose(arrays["fc.weight"], weight, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(arrays["fc.bias"], bias, rtol=1e-4, atol=1e-5)

    def test_no_round_costs_a_board_more_than_twice_the_adapter_and_a_little(self):
        def most(width, out):
            members = [Board(name, labels, drawings(CLASSES, width=width)) for name, labels in (("a", ["ant", "bee", "cat"]), ("b", ["cat", "dog"]))]
            folder = self.run_fleet(Grid(members), out=out, rounds=4, refresh=2)
            bound = 2.1 * (folder / "adapter" / "adapter_model.safetensors").stat().st_size + 8192
            lines = [line for line in self.lines(out) if line["round"] > 0]
            costs = [sum(node["down"] + node["up"] for line in lines if line["round"] == number for node in line["nodes"] if node["name"] == "a") for number in (1, 2, 3, 4)]
            self.assertLess(max(costs), bound)
            return [line["round"] for line in lines if line["phase"] == "sums"]

        # The toy's adapter is little more than its head: the matrix of 20 features fits the few kilobytes beside it, that of 60 does not.
        self.assertEqual(most(20, "narrow"), [2, 4])
        self.assertEqual(most(60, "wide"), [])

    def test_nodes_of_one_base_begin_with_the_same_numbers(self):
        members = boards()
        members[1].spoil = lambda kind, reply: reply["arrays"].update({"shift": reply["arrays"]["shift"] + 1}) if kind == "start" else None
        with self.assertRaisesRegex(Refusal, "begin with different numbers"):
            self.run_fleet(Grid(members))

    def test_who_is_of_another_base_does_not_take_part(self):
        members = [*boards(), Board("d", ["ant", "dog"], PICTURES, identity={"method": "lora"})]
        self.run_fleet(Grid(members), rounds=1)
        line = self.lines()[0]
        self.assertEqual([one["name"] for one in line["refused"]], ["d"])
        self.assertNotIn("train", [kind for kind, _ in members[3].asked])

    def test_a_round_goes_on_without_those_who_fall_out(self):
        def fail(kind, _reply):
            if kind == "train":
                raise Failure("photos: no pictures left")

        def hush(kind, _reply):
            if kind == "train":
                raise Silence

        members = [*boards(), Board("d", ["ant"], PICTURES, spoil=hush)]
        members[1].spoil = fail
        self.run_fleet(Grid(members), rounds=1)
        line = next(line for line in self.lines() if line["phase"] == "train")
        self.assertEqual([node["name"] for node in line["nodes"]], ["b", "c"])
        self.assertEqual(sorted(one["name"] for one in line["fell"]), ["a", "d"])
        self.assertIn("no pictures left", str(line["fell"]))

    def test_who_did_not_answer_the_first_question_is_asked_again(self):
        members = boards()
        silent = [Silence, lambda: Failure("just now not")]

        def hush(kind, _reply):
            if kind == "query" and silent:
                raise silent.pop()()

        members[2].spoil = hush
        self.run_fleet(Grid(members), rounds=3)
        self.assertEqual([len(line["nodes"]) for line in self.lines() if line["phase"] == "train"], [2, 3, 3])
        self.assertEqual([line["round"] for line in self.lines() if line["phase"] == "query"], [0, 1, 2])

    def test_a_node_that_the_superlink_no_longer_hears_is_named(self):
        members = boards()
        grid = Grid(members)

        def leave(kind, _reply):
            if kind == "train":
                grid.gone.add(3)

        members[1].spoil = leave
        self.run_fleet(grid, rounds=1)
        line = next(line for line in self.lines() if line["phase"] == "train")
        self.assertEqual(line["fell"], [{"name": "b", "why": "b: Node Unavailable"}])

    def test_a_run_in_which_nobody_can_be_used_ends(self):
        def fail(kind, _reply):
            if kind == "train":
                raise Failure("the disk is full")

        with self.assertRaisesRegex(Refusal, "nobody's answer could be used"):
            self.run_fleet(Grid(boards(spoil=fail)), rounds=9)
        self.assertEqual(sum(line["phase"] == "train" for line in self.lines()), 3)

    def test_the_head_alone_is_refused_at_once_where_nothing_can_be_merged(self):
        onnx = {"base": {"type": "onnx", "digest": "ab" * 32}}
        methods = [{"method": method} for method in ("prompt:rank=8", "bias+side:ratio=8,residual=0,tap=1", "bias+depth:blocks=3")]
        for nth, identity in enumerate([*methods, onnx]):
            members = boards(identity=identity)
            with self.assertRaisesRegex(Refusal, "local: the head cannot learn alone where .* nothing can be merged, got probe with the method"):
                self.run_fleet(Grid(members), out=f"alone-{nth}", local="probe")
            self.assertEqual({kind for board in members for kind, _ in board.asked}, {"query"})
        self.run_fleet(Grid(boards(identity={"method": "lora:rank=8,alpha=8,all=0"})), out="lora", rounds=1, local="probe")

    def test_a_server_that_is_lost_just_after_a_round_has_that_rounds_adapter(self):
        out = self.run_fleet(Grid(boards()))
        last = (out / "adapter" / "adapter_model.safetensors").read_bytes()
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            (out / "adapter" / name).write_bytes((out / "rounds" / "001" / name).read_bytes())
        self.run_fleet(Grid(boards()), resume=True)
        self.assertEqual((out / "adapter" / "adapter_model.safetensors").read_bytes(), last)
        self.assertEqual([str(path) for path in out.rglob("*tmp*")], [])

    def test_a_full_disk_ends_a_run_in_a_sentence_and_it_goes_on_when_there_is_room(self):
        whole = self.run_fleet(Grid(boards()), out="whole", rounds=3)
        real = os.fsync
        for nth in range(1, 60, 4):
            left = [nth]

            def full(number, left=left):
                left[0] -= 1
                if left[0] <= 0:
                    raise OSError(28, "No space left on device")
                real(number)

            out = self.folder / f"full-{nth}"
            grid = Grid(boards())
            with mock.patch("os.fsync", full):
                try:
                    self.run_fleet(grid, out=out.name, rounds=3)
                except Refusal as refusal:
                    self.assertRegex(str(refusal), "cannot be written, got No space left on device; resume=true goes on")
            self.assertEqual([str(path) for path in out.rglob("*.tmp")], [])
            if left[0] > 0:
                self.assertGreater(nth, 30)
                break
            self.run_fleet(grid, out=out.name, rounds=3, resume=(out / "state.json").exists())
            for name in ("rounds/003", "adapter"):
                same = [(folder / name / "adapter_model.safetensors").read_bytes() for folder in (whole, out)]
                self.assertEqual(same[0], same[1], f"full at write {nth}")
        else:
            self.fail("the disk was never large enough")

    def test_a_folder_that_cannot_be_written_or_held_ends_a_run_in_a_sentence(self):
        (self.folder / "file").write_text("")
        for out, why in (("file", "File exists"), ("file/below", "Not a directory")):
            with self.assertRaisesRegex(Refusal, f"file.*: cannot be written, got {why}; out names the folder"):
                self.run_fleet(Grid(boards()), out=out)
        # As some network folders have it.
        no_locks = mock.patch("fcntl.flock", side_effect=OSError(37, "No locks available"))
        with no_locks, self.assertRaisesRegex(Refusal, "out: cannot be written, got No locks available"):
            self.run_fleet(Grid(boards()))

    def test_a_disk_that_is_still_full_is_told_when_a_run_goes_on(self):
        self.run_fleet(Grid(boards()), rounds=1)
        with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")), self.assertRaisesRegex(Refusal, "cannot be written, got No space left"):
            self.run_fleet(Grid(boards()), rounds=2, resume=True)
        self.run_fleet(Grid(boards()), rounds=2, resume=True)

    def test_a_folder_is_one_runs(self):
        other = Journal(self.folder / "out", True)
        other.begin(False)
        with mock.patch.object(journal, "PATIENCE", 0.2), self.assertRaisesRegex(Refusal, "another run goes on in this folder"):
            self.run_fleet(Grid(boards()))
        # What ends soon is waited for.
        ending = threading.Timer(0.5, other.release)
        ending.start()
        self.run_fleet(Grid(boards()))
        ending.join()

    def test_a_name_is_one_nodes(self):
        members = [*boards(), Board("a", ["ant"], PICTURES)]
        grid = Grid(members)
        self.run_fleet(grid, rounds=1)
        self.assertEqual(grid.told, [("a", "a: the name is taken by another node")])
        self.assertIn("the name is taken", self.lines()[0]["refused"][0]["why"])

    def test_options_that_are_not_understood_stop_a_run(self):
        for options, sentence in (
            ({"rounds": 0}, "rounds: bad value"),
            ({"strategy": "fedsgd"}, "strategy: bad value"),
            ({"noise": 1.0}, "needs a clip"),
            ({"prox": 0.1}, "belongs to fedprox"),
            ({"rate": "swift"}, "rate: is no learning rate"),
            ({"extra": 1}, "no option"),
        ):
            with self.assertRaisesRegex(Refusal, sentence):
                self.run_fleet(Grid(boards()), **options)


class Closed(unittest.TestCase):
    def test_sums_in_f32_add_up_to_those_of_one_place(self):
        # Features that have more in common than apart, as behind a normalisation: f32 would not hold their squares.
        pictures = {label: values + 100 for label, values in PICTURES.items()}
        members = [Board("a", ["ant", "bee"], pictures), Board("b", ["bee", "cat", "dog"], pictures), Board("c", ["dog"], pictures)]
        x = np.concatenate([board.x for board in members])
        for kind, beside in (("gram", "gram"), ("diagonal", "squares")):
            answers = [SimpleNamespace(arrays=board.sums({"sums": kind}, {"shift": np.zeros(6, "f4")})["arrays"], identity=SimpleNamespace(labels=board.labels)) for board in members]
            self.assertEqual({value.dtype for answer in answers for value in answer.arrays.values()}, {np.dtype("f4")})
            sums, second = closed.add_sums(answers, CLASSES)
            exact, gram = one_place(x, sum((board.y for board in members), []))
            np.testing.assert_allclose(sums, exact, rtol=1e-6)
            whole = closed.unpacked(gram, 6)
            scale = np.diag(whole).max()
            np.testing.assert_allclose(second if beside == "squares" else closed.unpacked(second, 6), np.diag(whole) if beside == "squares" else whole, atol=1e-6 * scale)

    def test_the_head_of_sums_is_that_of_all_pictures_in_one_place(self):
        x = np.concatenate([PICTURES[label] for label in CLASSES]).astype(np.float64)
        y = np.repeat(np.arange(4), 12)
        weight, bias, found = closed.ridge(*one_place(x, [CLASSES[c] for c in y]))
        centred = x - x.mean(0)
        onto = np.eye(4)[y]
        lam = found["lambda"] * (centred**2).sum() / x.shape[1]
        direct = np.linalg.solve(centred.T @ centred + lam * np.eye(x.shape[1]), centred.T @ (onto - onto.mean(0)))
        np.testing.assert_allclose(weight, found["factor"] * direct.T, rtol=1e-5, atol=1e-6)
        logits = x @ weight.T + bias
        np.testing.assert_allclose(logits, found["factor"] * (onto.mean(0) + centred @ direct), rtol=1e-4, atol=1e-5)
        self.assertGreater((logits.argmax(1) == y).mean(), 0.9)
        # The criterion is exact leave-one-out where every picture pulls alike; here it is near it.
        hat = centred @ np.linalg.solve(centred.T @ centred + lam * np.eye(x.shape[1]), centred.T) + 1 / len(x)
        left = (onto - hat @ onto) / (1 - np.diag(hat))[:, None]
        self.assertAlmostEqual(found["left-out"], (left**2).sum() / len(x), delta=0.1 * found["left-out"])

    def test_the_factor_is_near_the_best_for_pictures_that_were_not_seen(self):
        seen, unseen = drawings(CLASSES, 3, 40), None
        unseen = {label: drawings(CLASSES, 3, 240)[label][40:] for label in CLASSES}
        random = np.random.default_rng(8)
        centre = {label: seen[label].mean(0) for label in CLASSES}
        unseen = {label: centre[label] + random.normal(0, 0.7, (200, 6)) for label in CLASSES}
        x = np.concatenate([seen[label] for label in CLASSES])
        weight, bias, _ = closed.ridge(*one_place(x, np.repeat(CLASSES, 40).tolist()))
        z = np.concatenate([unseen[label] for label in CLASSES]) @ weight.T + bias
        y = np.repeat(np.arange(4), 200)
        losses = [loss(z * t, y) for t in (0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 4.0)]
        self.assertLess(losses[3], min(losses) + 0.05)

    def test_without_the_matrix_classes_are_still_told_apart(self):
        x = np.concatenate([PICTURES[label] for label in CLASSES])
        sums, _ = one_place(x, np.repeat(CLASSES, 12).tolist())
        weight, bias, _ = closed.diagonal(sums, ((x - x.mean(0)) ** 2).sum(0))
        self.assertGreater(((x @ weight.T + bias).argmax(1) == np.repeat(np.arange(4), 12)).mean(), 0.9)


def one_place(x, y):
    """Sums and matrix about the mean as all pictures in one place give them, in f64."""
    x = x.astype(np.float64)
    sums = np.array([np.append(x[[one == label for one in y]].sum(0), y.count(label)) for label in CLASSES])
    centred = x - x.mean(0)
    return sums, (centred.T @ centred)[np.triu_indices(x.shape[1])]


def loss(z, y):
    top = z.max(1)
    return float((np.log(np.exp(z - top[:, None]).sum(1)) + top - z[np.arange(len(y)), y]).mean())


def by_hand(replies, before):
    """The mean in plain f32, a number after the other."""
    labels = CLASSES
    f = np.float32
    told = [(json.loads(r["config"]["info"])["labels"], r["metrics"], r["arrays"]["adapter"], json.loads(r["config"]["layout"])) for r in replies]
    tensors = []
    for _, _, flat, layout in told:
        found, at = {}, 0
        for name, shape in layout:
            size = int(np.prod(shape))
            found[name] = flat[at : at + size].reshape(shape)
            at += size
        tensors.append(found)

    def mean(values, counts):
        total = sum(counts)
        acc = values[0] * f(counts[0] / total)
        for value, n in zip(values[1:], counts[1:]):
            acc = f(acc + f(value * f(n / total)))
        return acc

    made = {}
    for name, old in before.items():
        made[name] = old.copy()
        for index in np.ndindex(old.shape):
            values, counts = [], []
            for (mine, metrics, _, _), found in zip(told, tensors):
                if name in HEAD:
                    label = labels[index[0]]
                    if label not in mine or metrics["label-counts"][mine.index(label)] == 0:
                        continue
                    values.append(found[name][(mine.index(label), *index[1:])])
                else:
                    values.append(found[name][index])
                counts.append(metrics["num-examples"])
            if values:
                made[name][index] = mean(values, counts)
    return made


if __name__ == "__main__":
    unittest.main()
