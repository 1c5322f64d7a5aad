// Proves what publish-run lets through and what it leaves behind, on runs written by hand (PublishFixture) and with the
// real executable: gates, hard links, delta, current, keep, doing nothing twice.

import Foundation
import Shards
import Testing

@Suite struct PublishTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "lectern-publish-\(UUID().uuidString)"
        try FileSystem.createFolder(folder)
        defer { try? FileSystem.removeAll(folder) }
        try body(folder)
    }

    private func publish(_ folder: String, _ fixture: PublishFixture, run: String = "latest") throws -> Outcome {
        try fixture.write("\(folder)/\(run)")
        return try tool("publish-run", "--run", "\(folder)/\(run)")
    }

    private func current(_ folder: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/current")
    }

    private func lines(_ path: String) throws -> [String] {
        try execute(["gzip", "-dc", path]).output.split(separator: "\n").map(String.init)
    }

    @Test func theFirstRunIsPublishedWhole() throws {
        try withFolder { folder in
            let outcome = try publish(folder, PublishFixture())
            #expect(outcome.code == 0, "\(outcome.errors)")
            let name = try current(folder)
            #expect(name.hasPrefix("published/1970-04-11-") && name.count == "published/1970-04-11-".count + 8)
            let published = "\(folder)/\(name)"
            for stage in ["logs", "watched", "cowatch", "ncf", "glmix", "blended", "topk", "metrics"] {
                #expect(FileSystem.exists("\(published)/\(stage)/manifest.json"))
            }
            // The same file, not a copy.
            func inode(_ path: String) throws -> Int? {
                try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
            }
            let list = "topk/topk-00000-of-00001.safetensors.gz"
            #expect(try inode("\(published)/\(list)") == inode("\(folder)/latest/\(list)"))
            #expect(!FileSystem.exists("\(published)/logs/watches-00000-of-00001.safetensors.gz"))
            #expect(try lines("\(published)/delta/changed-00000-of-00001.jsonl.gz").count == 2)
            #expect(try lines("\(published)/delta/deleted.jsonl.gz").isEmpty)
        }
    }

    @Test func publishingTheSameAgainDoesNothing() throws {
        try withFolder { folder in
            _ = try publish(folder, PublishFixture())
            let (name, before) = (try current(folder), FileSystem.status("\(folder)/\(try current(folder))"))
            let again = try tool("publish-run", "--run", "\(folder)/latest")
            #expect(again.code == 0 && again.errors.contains("is current already"))
            #expect(try current(folder) == name)
            #expect(FileSystem.status("\(folder)/\(name)")?.modified == before?.modified)
        }
    }

    @Test func deltaHoldsWhatChangedAndWhoIsGone() throws {
        try withFolder { folder in
            var fixture = PublishFixture()
            fixture.lists = ["l1": ["a", "b"], "l2": ["c", "d"], "l3": ["e", "f"], "l4": ["a", "f"]]
            _ = try publish(folder, fixture)
            // Another numbering and sharding: ids decide. l1 stays, l2 is reordered, l3 has one other course, l4 goes.
            fixture.courses = ["f", "e", "d", "c", "b", "a", "g"]
            fixture.shards = 2
            fixture.asOf += PublishFixture.day
            fixture.lists = ["l1": ["a", "b"], "l2": ["d", "c"], "l3": ["e", "g"], "l5": ["a", "b"]]
            let outcome = try publish(folder, fixture)
            #expect(outcome.code == 0, "\(outcome.errors)")
            let delta = "\(folder)/\(try current(folder))/delta"
            let changed = try ["changed-00000-of-00002.jsonl.gz", "changed-00001-of-00002.jsonl.gz"]
                .flatMap { try lines("\(delta)/\($0)") }
            let ids = changed.compactMap { $0.split(separator: "\"").dropFirst(3).first.map(String.init) }.sorted()
            #expect(ids == ["l2", "l3", "l5"])
            #expect(try lines("\(delta)/deleted.jsonl.gz") == ["{\"learner\":\"l4\"}"])
            // Overlaps 1, 1 and ½ of the three learners of both: churn 1 − 2.5/3.
            #expect(outcome.errors.contains("churn 0.1667"))
        }
    }

    @Test(arguments: [
        ("lift over popular", "lift"), ("coverage", "coverage"), ("volume of the last week", "volume"),
        ("scale of ncf", "scale"),
    ]) func aFailedGateKeepsCurrent(_ gate: (name: String, fault: String)) throws {
        try withFolder { folder in
            _ = try publish(folder, PublishFixture())
            let name = try current(folder)
            var fixture = PublishFixture()
            fixture.asOf += PublishFixture.day
            switch gate.fault {
            case "lift": fixture.lift = -0.001
            case "coverage": fixture.coverage = 0.1
            case "volume": fixture.volume.replaceSubrange(0..<7, with: [Int](repeating: 1, count: 7))
            default: fixture.scaleRatio = 0.45
            }
            let outcome = try publish(folder, fixture, run: "next")
            #expect(outcome.code == 65)
            #expect(outcome.complaints.count == 1 && outcome.complaints[0].contains(gate.name))
            #expect(outcome.complaints[0].contains("failed"))
            #expect(try current(folder) == name)
            #expect(try FileSystem.list(folder + "/published").count == 1)
            #expect(FileSystem.exists(folder + "/next/failed.json"))
        }
    }

    /// The next day's run of the same platform, with other lists.
    private func nextDay(_ lists: [String: [String]]) -> PublishFixture {
        var fixture = PublishFixture()
        fixture.asOf += PublishFixture.day
        fixture.lists = lists
        return fixture
    }

    /// The lists of another platform: nobody who is served has one any more.
    @Test func listsOfOtherLearnersAreAllChurn() throws {
        try withFolder { folder in
            _ = try publish(folder, PublishFixture())
            let outcome = try publish(folder, nextDay(["m1": ["a", "b", "c"], "m2": ["d", "e", "f"]]))
            #expect(outcome.code == 65 && outcome.complaints.first?.contains("churn 1") == true, "\(outcome.errors)")
        }
    }

    @Test func churnIsAGate() throws {
        try withFolder { folder in
            _ = try publish(folder, PublishFixture())
            var fixture = nextDay(["l1": ["d", "e", "f"], "l2": ["d", "e", "a"]])
            // Overlaps 0 and ⅔: churn ⅔, more than ½.
            let outcome = try publish(folder, fixture)
            #expect(outcome.code == 65)
            #expect(outcome.complaints.first?.contains("churn 0.6667") == true)
            fixture.parameters["publish.max_churn"] = "0.7"
            #expect(try publish(folder, fixture).code == 0)
        }
    }

    /// Lists published by an older release, whose shards lack a column, are nothing to compare with: said, and no
    /// reason to keep serving them. A shard of this run that lacks it is refused.
    @Test func anOlderFormatIsNothingToCompareWith() throws {
        try withFolder { folder in
            _ = try publish(folder, PublishFixture())
            let topk = "\(folder)/\(try current(folder))/topk"
            let name = "topk-00000-of-00001.safetensors.gz"
            var old = ShardBuilder(kind: "topk", rows: 2)
            old.add("rung", [UInt8](repeating: 0, count: 2))
            let packed = Gzip.compress(old.encoded())
            // The publication's file is a hard link to the run's: replaced, not written over.
            try FileSystem.replace("\(topk)/\(name)", with: packed)
            var manifest = try Manifest(FileSystem.read(topk + "/manifest.json"), path: topk)
            manifest.outputs[name] = Manifest.File(
                rows: 2, bytes: packed.count, sha256: Digest.sha256(old.encoded()), crc32: Gzip.checksum(packed))
            try FileSystem.replace(topk + "/manifest.json", with: manifest.encoded())

            var fixture = PublishFixture()
            fixture.asOf += PublishFixture.day
            let outcome = try publish(folder, fixture)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.errors.contains("cannot be compared with") && outcome.errors.contains(name))
            #expect(try current(folder).hasPrefix("published/1970-04-12"))
            let delta = "\(folder)/\(try current(folder))/delta"
            #expect(try lines(delta + "/changed-00000-of-00001.jsonl.gz").count == 2)
        }
    }

    /// A disk that does not give what is published (here a link to itself) must not let an unlimited change go live.
    @Test func aFailingReadOfWhatIsPublishedIsNoReasonToPublish() throws {
        try withFolder { folder in
            _ = try publish(folder, PublishFixture())
            let before = try current(folder)
            let shard = "\(folder)/\(before)/topk/topk-00000-of-00001.safetensors.gz"
            try FileManager.default.removeItem(atPath: shard)
            try FileManager.default.createSymbolicLink(atPath: shard, withDestinationPath: shard)

            var fixture = PublishFixture()
            fixture.asOf += PublishFixture.day
            let refused = try publish(folder, fixture)
            #expect(refused.code == 74, "\(refused.errors)")
            #expect(refused.errors.contains(shard) && refused.errors.contains("not published; run it again"))
            #expect(try current(folder) == before)

            try FileManager.default.removeItem(atPath: "\(folder)/\(before)")
            #expect(try publish(folder, fixture).code == 0)
        }
    }

    /// A, B, A: the difference is to B, not what it was when A was published first.
    @Test func whatServedBeforeIsComparedAnew() throws {
        try withFolder { folder in
            var other = PublishFixture()
            other.lists["l2"] = ["d", "e", "c"]
            for fixture in [PublishFixture(), other, PublishFixture()] {
                #expect(try publish(folder, fixture).code == 0)
            }
            let delta = "\(folder)/\(try current(folder))/delta"
            #expect(try lines(delta + "/changed-00000-of-00001.jsonl.gz").count == 1)
        }
    }

    /// Nothing reads metrics/ on the way: a bit of it shows all the same.
    @Test func damagedFilesAreNotPublished() throws {
        try withFolder { folder in
            try PublishFixture().write("\(folder)/latest")
            let path = "\(folder)/latest/metrics/table.txt"
            try FileSystem.write(Array("A table\n".utf8), to: path)
            let outcome = try tool("publish-run", "--run", "\(folder)/latest")
            #expect(outcome.code == 65 && outcome.errors.contains("\(path): damaged; made anew by: make evaluate"))
            #expect(try FileSystem.entry(folder + "/current") == nil)
        }
    }

    @Test func onlyTheNewestStay() throws {
        try withFolder { folder in
            var fixture = PublishFixture()
            for _ in 0..<4 {
                #expect(try publish(folder, fixture).code == 0)
                fixture.asOf += PublishFixture.day
            }
            let names = try FileSystem.list(folder + "/published").map { String($0.prefix(10)) }
            #expect(names == ["1970-04-13", "1970-04-14"])
            #expect(try current(folder).hasPrefix("published/1970-04-14"))
        }
    }

    @Test func whatAKilledRunLeftIsRemoved() throws {
        try withFolder { folder in
            try FileSystem.createFolder(folder + "/published/1970-01-01-00000000.partial/topk")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/current.new", withDestinationPath: "published/nothing")
            #expect(try publish(folder, PublishFixture()).code == 0)
            #expect(try FileSystem.list(folder + "/published").count == 1)
            #expect(!FileSystem.exists(folder + "/current.new"))
        }
    }

    @Test func inputsOfTwoGenerationsAreRefused() throws {
        try withFolder { folder in
            try PublishFixture().write(folder + "/latest")
            // metrics say that they were made from other lists.
            let path = folder + "/latest/metrics/manifest.json"
            var manifest = try Manifest(FileSystem.read(path), path: path)
            manifest.inputs["topk"] = "somebody else's"
            try FileSystem.replace(path, with: manifest.encoded())
            let outcome = try tool("publish-run", "--run", folder + "/latest")
            #expect(outcome.code == 65 && outcome.complaints.first?.contains("topk/") == true)
            #expect(!FileSystem.exists(folder + "/current"))
        }
    }

    /// Models are linked beside the lists: those of another generation, and a report of one, are refused.
    @Test func modelsAndReportAreOfTheListsGeneration() throws {
        try withFolder { folder in
            let run = folder + "/latest"
            try PublishFixture().write(run)
            func note(_ stage: String, _ input: String, _ digest: String) throws {
                let path = "\(run)/\(stage)/manifest.json"
                var manifest = try Manifest(FileSystem.read(path), path: path)
                manifest.inputs[input] = digest
                try FileSystem.replace(path, with: manifest.encoded())
            }
            let report = try StageOutput(run: run, stage: "report")
            try report.write(Array("a page".utf8), as: "index.html")
            let asOf = PublishFixture().asOf
            try report.commit(
                Manifest(stage: "render-report", release: "test", config: "", asOf: asOf, newestEvent: asOf - 1))

            let glmix = try Manifest.read(stageFolder: run + "/glmix").digest
            try note("blended", "glmix", "trained before")
            let refused = try tool("publish-run", "--run", run)
            #expect(refused.code == 65 && refused.complaints.first?.contains("generations of glmix/") == true)
            try note("blended", "glmix", glmix)

            try note("report", "glmix", "trained before")
            let stale = try tool("publish-run", "--run", run)
            #expect(stale.code == 65 && stale.complaints.first?.contains("generations of glmix/") == true)
            #expect(!FileSystem.exists(folder + "/current"))
            // The gates are judged before the report is made.
            #expect(try tool("publish-run", "--run", run, "--gates-only").code == 0)
            try note("report", "glmix", glmix)
            let published = try tool("publish-run", "--run", run)
            #expect(published.code == 0, "\(published.errors)")
        }
    }

    @Test func aDamagedFileIsNotPublished() throws {
        try withFolder { folder in
            try PublishFixture().write(folder + "/latest")
            try FileSystem.write(Array("short".utf8), to: folder + "/latest/ncf/model.txt")
            let outcome = try tool("publish-run", "--run", folder + "/latest")
            #expect(outcome.code == 65 && outcome.complaints.first?.contains("ncf/model.txt") == true)
            #expect(!FileSystem.exists(folder + "/current"))
        }
    }
}
