//! Versions of the rules.

words! {
    /// Versions.
    Versions {
        title: "Versions", "版本";
        intro: "Every set of rules that was ever in force.", "曾经生效过的每一套规则。";
        in_force: "in force", "生效中";
        for_time: "for", "持续";
        show: "Changes", "改动";
        compare: "Compare", "对比";
        before: "with the version before", "与上一版本";
        with_disk: "with the disk", "与磁盘文件";
        with_live: "with what is in force", "与当前生效版本";
        none: "No version yet.", "还没有版本。";
        first: "The first version: there is none before it.", "这是第一个版本。";
        same: "No difference.", "没有差别。";
        added: "new file", "新增文件";
        removed: "deleted", "已删除";
        files: "Files", "文件";
        restore: "Restore", "恢复此版本";
        restore_sure: "Replace the rule files on the disk by those of this version?",
            "用这个版本的文件替换磁盘上的规则文件？";
        restore_hint: "The files on the disk are replaced by those of this version, after a check. The version in force now stays in this list.",
            "检查通过后，磁盘上的规则文件会替换为这个版本。当前版本仍保留在列表中。";
        restored: "Restored, and in force.", "已恢复并生效。";
        not_restored: "Not restored", "未恢复";
        what_restore: "What restoring would change on the disk", "恢复会给磁盘文件带来的改动";
    }
}
