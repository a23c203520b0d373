"""Lessons: what a network learns from, by name. A further lesson is a file here and a line below."""

from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.training.lessons.lesson import MakeLesson

LESSONS: "Registry[MakeLesson]" = Registry(
    {
        "denoising": "archlab.training.lessons.denoising:denoising",
        "teacher": "archlab.training.lessons.teacher:teacher",
        "guidance": "archlab.training.lessons.guidance:guidance",
        "progressive": "archlab.training.lessons.progressive:progressive",
        "ufogen": "archlab.training.lessons.ufogen:ufogen",
        "dmd2": "archlab.training.lessons.dmd2:dmd2",
    }
)
