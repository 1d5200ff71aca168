//! What went unanswered.

words! {
    /// Unanswered texts.
    Unanswered {
        title: "Unanswered", "未回复";
        intro: "Texts that no rule answered, or only the default reply. Those that ask the same stand together.",
            "没有规则回复，或只有默认回复的消息，意思相近的归在一起。";
        looked: "{} message since|{} messages since", "{} 条消息，自";
        part: "There were too many messages: only the newest were looked at.", "消息太多，只统计了最新的一部分。";
        none: "Every text was understood.", "所有消息都有规则回复。";
        times: "×", "次";
        users: "{} customer|{} customers", "{} 位客户";
        last: "last", "最近";
        ways: "{} way to ask it|{} ways to ask it", "{} 种问法";
        draft: "Draft a rule", "起草规则";
        others: "more", "更多";
        more_groups: "{} more group|{} more groups", "{} 组未显示";
        how: "How texts are grouped", "如何归类";
        how_text: "Of each text's normal form, letters and digits are kept and polite words left out; two texts belong together when they share at least half of their character pairs.",
            "取每条消息的归一化文本，只留文字和数字，去掉客套词；两条消息有一半以上的相邻字对相同，就归为一组。";
    }
}
