"""TFLite on an Android phone, by adb."""
