// swift-tools-version: 6.1
import PackageDescription

// Floors (docs/architecture.md; Tests/ArchitectureTests holds the imports against them):
//   0  system libraries, CKernels, DenseAlgebra, LinearAlgebra, Shards     1  Platform, Metrics, ShardKinds, ConfigText
//   2  Logs, CoWatch, NeuralCF, GLMix, Baselines, Ranking, Serving, CourseMap, Reporting
//   3  StoredModels, CommandKit, StageKit                                  4  one executable per stage or tool
// A target may import only lower floors (ShardKinds also Platform); the algorithms of floor 2 do not import each
// other, and cannot touch files: only ShardKinds knows both the domain and the shards.

func system(_ name: String, pkgConfig: String, debian: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([debian])])
}

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies)
}

let algorithms: [Target.Dependency] = ["CoWatch", "NeuralCF", "GLMix", "Baselines", "Ranking", "Metrics"]
let everyStage: [Target.Dependency] = ["StageKit", "CommandKit", "ShardKinds", "Platform", "Shards", "LinearAlgebra"]

func stage(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(name: name, dependencies: everyStage + dependencies)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, path: "Tests/\(name)Tests")
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "lectern",
    traits: [.trait(name: "MPI", description: "Stages as the ranks of an MPI program (Open MPI; docs/cluster.md).")],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Floor 0
        system("COpenBLAS", pkgConfig: "openblas", debian: "libopenblas-dev"),
        system("CLAPACKE", pkgConfig: "lapacke", debian: "liblapacke-dev"),
        system("CZlib", pkgConfig: "zlib", debian: "zlib1g-dev"),
        system("CLibdeflate", pkgConfig: "libdeflate", debian: "libdeflate-dev"),
        system("CSQLite", pkgConfig: "sqlite3", debian: "libsqlite3-dev"),
        .target(name: "CKernels"),
        // Without the trait these two are empty and nothing depends on them.
        system("COpenMPI", pkgConfig: "ompi-c", debian: "libopenmpi-dev"),
        .target(
            name: "CMPI", dependencies: [.target(name: "COpenMPI", condition: .when(traits: ["MPI"]))],
            cSettings: [.define("LECTERN_MPI", .when(traits: ["MPI"]))]),
        module("Ranks", [.target(name: "CMPI", condition: .when(traits: ["MPI"]))]),
        module("DenseAlgebra", ["COpenBLAS", "CLAPACKE", "CKernels"]),
        module("LinearAlgebra", ["CKernels", "Ranks"]),
        module("Shards", ["CZlib", "CLibdeflate", crypto]),
        // Floor 1
        module("Platform", ["LinearAlgebra"]),
        module("Metrics", ["LinearAlgebra", "DenseAlgebra"]),
        module("ShardKinds", ["Platform", "Shards", "LinearAlgebra"]),
        module("ConfigText", ["Shards", yams]),
        // Floor 2
        module("Logs", ["ConfigText", "ShardKinds", "Platform", "Shards", "LinearAlgebra", yams]),
        module("CoWatch", ["Platform", "LinearAlgebra", "DenseAlgebra"]),
        module("NeuralCF", ["Platform", "LinearAlgebra", "DenseAlgebra", "Ranks", "Metrics"]),
        module("GLMix", ["Platform", "LinearAlgebra", "DenseAlgebra", "Metrics"]),
        module("Baselines", ["Platform", "LinearAlgebra", "DenseAlgebra"]),
        module("Ranking", ["Platform", "LinearAlgebra", "DenseAlgebra", "Metrics"]),
        module("Serving", ["ShardKinds", "Platform", "Shards"]),
        module("CourseMap", ["LinearAlgebra", "DenseAlgebra"]),
        module("Reporting", ["Metrics"]),
        // Floor 3
        module("ServingSQLite", ["Serving", "CSQLite"]),
        module("StoredModels", ["NeuralCF", "GLMix", "ShardKinds", "Platform", "Shards", "LinearAlgebra"]),
        module("CommandKit", ["Shards", "Ranks", argumentParser, logging]),
        module(
            "StageKit",
            [
                "CommandKit", "ConfigText", "ShardKinds", "Platform", "Shards", "LinearAlgebra", "DenseAlgebra",
                "Ranks",
                argumentParser, yams, logging,
            ]),
        // Floor 4, in the order in which data flows
        stage("generate-logs", ["Logs"]),
        stage("prepare-run", ["ConfigText", "Logs"]),
        stage("import-logs", ["Logs"]),
        stage("filter-watches"),
        stage("build-cooccurrence", ["CoWatch"]),
        stage("train-ncf", ["NeuralCF", "CoWatch", "Metrics", "StoredModels", "DenseAlgebra"]),
        stage("train-glmix", ["GLMix", "Metrics"]),
        stage("blend", algorithms + ["StoredModels"]),
        stage("export-topk", algorithms + ["Serving", "ServingSQLite", "StoredModels"]),
        stage("evaluate", algorithms),
        stage("render-report", ["Reporting", "CourseMap", "Ranking", "Metrics", "Logs"]),
        stage("publish-run", ["Metrics", "Serving"]),
        stage("inspect-shards"),
        // Must start fast: no OpenBLAS, no Foundation, and Swift's own libraries inside, so that nobody looks for them.
        .executableTarget(
            name: "recommend",
            dependencies: ["CommandKit", "Serving", "ServingSQLite", "ShardKinds", "Platform", "Shards"],
            linkerSettings: [
                .unsafeFlags(["-static-stdlib", "-use-ld=lld", "-l_FoundationCollections", "-l_FoundationCShims"])
            ]),
        // Every parser as a function of bytes, for the fuzzers and for the tests that replay what they found
        .target(
            name: "FuzzTargets",
            dependencies: ["ConfigText", "Logs", "StageKit", "StoredModels", "NeuralCF", "Platform", "Shards"],
            path: "Tests/FuzzTargets"),
        // Tests
        tests("Fuzz", ["FuzzTargets", "Logs", "StageKit", "Shards"]),
        tests("LinearAlgebra", ["LinearAlgebra", "DenseAlgebra"]),
        tests("Shards", ["Shards"]),
        tests("Platform", ["Platform"]),
        tests("ShardKinds", ["ShardKinds"]),
        tests("Metrics", ["Metrics"]),
        tests("Logs", ["Logs"]),
        tests("CoWatch", ["CoWatch"]),
        tests("NeuralCF", ["NeuralCF", "DenseAlgebra"]),
        tests("GLMix", ["GLMix", "DenseAlgebra", "Metrics"]),
        tests("Baselines", ["Baselines"]),
        tests("Ranking", ["Ranking"]),
        tests("Serving", ["Serving", "ServingSQLite", "Metrics"]),
        tests("CourseMap", ["CourseMap", "LinearAlgebra"]),
        tests("Reporting", ["Reporting", "Metrics"]),
        tests("StageKit", ["StageKit"]),
        tests("Architecture", []),
        tests("Pipeline", ["ShardKinds", "Shards", "Platform"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)

// `make fuzz`, in a scratch folder of its own: libFuzzer brings the main function. What parses is instrumented.
if Context.environment["LECTERN_FUZZ"] != nil {
    for target in package.targets
    where [
        "Shards", "ShardKinds", "ConfigText", "Logs", "StoredModels", "StageKit", "FuzzTargets",
    ].contains(target.name) {
        target.swiftSettings = [
            .unsafeFlags(["-sanitize=address", "-sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp"])
        ]
    }
    let sanitize = ["-sanitize=fuzzer,address"]
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets", "Shards"], path: "Tests/Fuzz",
            swiftSettings: [.unsafeFlags(sanitize + ["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(sanitize + ["-use-ld=lld"])]))
}
// `make test-tsan`, in a scratch folder of its own: our modules, not what they depend on, for the thread sanitizer.
if Context.environment["LECTERN_TSAN"] != nil {
    for target in package.targets where target.type != .system {
        target.swiftSettings = [.unsafeFlags(["-sanitize=thread"])]
        target.cSettings = (target.cSettings ?? []) + [.unsafeFlags(["-fsanitize=thread"])]
        target.linkerSettings = [.unsafeFlags(["-sanitize=thread"])]
    }
}
// Benchmarks are built by their make targets alone.
if Context.environment["LECTERN_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "bench-ncf", dependencies: ["NeuralCF", "Platform", "LinearAlgebra", "DenseAlgebra"],
            path: "Tests/Benchmarks/NCF",
            exclude: ["arrays.py", "compare.py", "peer.py", "torch_peer.py", "tensorflow_peer.py"],
            sources: ["main.swift"]))
    package.targets.append(
        .executableTarget(
            name: "bench-glmix", dependencies: ["GLMix", "LinearAlgebra"], path: "Tests/Benchmarks/GLMix",
            exclude: ["peers.py"]))
    package.targets.append(
        .executableTarget(
            name: "bench-topk", dependencies: everyStage + ["NeuralCF", "Ranking", "StoredModels", "DenseAlgebra"],
            path: "Tests/Benchmarks/TopK", exclude: ["compare.py", "peer.py"], sources: ["main.swift"]))
    package.targets.append(
        .executableTarget(
            name: "bench-serving", dependencies: everyStage + ["Serving", "ServingSQLite"],
            path: "Tests/Benchmarks/Serving"))
}
