/// Titles that people can read, unique within a catalogue, some with what CSV must quote.
enum CourseTitle {
    /// By language, then difficulty; `*` stands for the skill.
    private static let patterns: [[[String]]] = [
        [
            ["Learning *", "* for Beginners", "The \"Why\" of *", "* Essential Training", "First Steps in *"],
            ["* in Practice", "*: Tips, Tricks & Techniques", "* Case Studies", "Better *, Step by Step"],
            ["Advanced *", "*: Expert Level", "Mastering *", "* at Scale, from Idea to Production"],
        ],
        [
            ["Introducción a *", "Fundamentos de *", "¿Qué es *?", "* desde cero"],
            ["* en la práctica", "*: técnicas, trucos y ejemplos", "Aprende más sobre *"],
            ["* avanzado", "Domina *: nivel experto", "*: proyectos de gran tamaño"],
        ],
        [
            ["Grundkurs *", "* für Einsteiger", "* verständlich erklärt", "Einführung in *"],
            ["* in der Praxis", "*: Tipps, Tricks und Übungen", "*: Lösungen für jeden Tag"],
            ["* für Fortgeschrittene", "*: das große Training", "* für Könner"],
        ],
        [
            ["L'essentiel de *", "Découvrir *", "Débuter avec *"],
            ["* : astuces, conseils et exercices", "* au quotidien", "Progresser en *"],
            ["* avancé", "Maîtriser *", "* : le cours « expert »"],
        ],
        [
            ["Introdução: *", "Fundamentos: *", "* para iniciantes"],
            ["* na prática", "*: dicas, truques e soluções", "Avançar em *"],
            ["* avançado", "Dominando *", "*: formação de especialistas"],
        ],
        [
            ["*入門", "はじめての*", "*の基礎"],
            ["実践*", "*、その使い方とコツ", "*のケーススタディ"],
            ["*上級編", "*を極める", "プロのための*"],
        ],
    ]
    private static let part = ["Part", "parte", "Teil", "partie", "parte", "第"]

    /// Courses of one language, skill and difficulty take the patterns in turn, then parts 2, 3, …
    /// - Parameter ordinal: how many such courses come before this one.
    static func make(language: Int, skill: Int, level: Int, ordinal: Int) -> String {
        let choices = patterns[language][level]
        let pattern = choices[ordinal % choices.count]
        let title = pattern.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
            .joined(separator: Taxonomy.skills[skill])
        let volume = ordinal / choices.count + 1
        if volume == 1 { return title }
        return Taxonomy.languages[language] == "ja" ? "\(title)（第\(volume)巻）" : "\(title), \(part[language]) \(volume)"
    }
}
